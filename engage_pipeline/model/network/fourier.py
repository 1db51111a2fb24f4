"""Fourier features: the sines and cosines of a number at eight scales."""

from typing import TypeVar

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module

N_SCALES = 8
COARSEST_SCALE = 64.0
FEATURES_PER_NUMBER = 2 * N_SCALES
_Array = TypeVar("_Array", torch.Tensor, np.ndarray)


def fourier_features(numbers: _Array) -> _Array:
    """Returns sin and cos of x / 2^i, i = -1 … 6, of every number (docs/specification.md, section 6).

    `numbers` is float64 [n, k]; the result is float32 [n, 16 k]: each number's 8 sines, then its 8 cosines, finest
    scale first. Both are tensors, or arrays, which are faster for one row. Only the coarsest angle is computed by sin
    and cos; each finer one is its double, in float64 (sin 2a = 2 sin a cos a, cos 2a = 1 - 2 sin² a), so that the error
    stays below 1e-13 for any x that float64 holds exactly.
    """
    angles = numbers.reshape(-1) / COARSEST_SCALE
    shape = (FEATURES_PER_NUMBER, len(angles))  # turned at the end: writing every 16th value is slow
    if isinstance(numbers, torch.Tensor):
        sine, cosine, features = angles.sin(), angles.cos(), torch.empty(shape, device=numbers.device)
    else:
        sine, cosine, features = np.sin(angles), np.cos(angles), np.empty(shape, np.float32)
    for scale in reversed(range(N_SCALES)):
        features[scale] = sine
        features[N_SCALES + scale] = cosine
        if scale:
            square = sine * sine
            sine *= cosine
            sine *= 2
            square *= -2
            square += 1
            cosine = square
    return features.T.reshape(len(numbers), FEATURES_PER_NUMBER * numbers.shape[1])
