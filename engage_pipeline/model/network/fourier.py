"""Fourier features: the sines and cosines of a number at eight scales."""

import torch  # noqa: TID253 - nothing light imports this module

N_SCALES = 8
COARSEST_SCALE = 64.0
FEATURES_PER_NUMBER = 2 * N_SCALES


def fourier_features(numbers: torch.Tensor) -> torch.Tensor:
    """Returns sin and cos of x / 2^i, i = -1 … 6, of every number (docs/specification.md, section 6).

    `numbers` is float64 [n, k]; the result is float32 [n, 16 k]: each number's 8 sines, then its 8 cosines, finest
    scale first. Only the coarsest angle is computed by sin and cos; each finer one is its double, in float64
    (sin 2a = 2 sin a cos a, cos 2a = 1 - 2 sin² a), so that the error stays below 1e-13 for any x that float64 holds
    exactly.
    """
    angles = numbers.double() / COARSEST_SCALE
    sine, cosine = angles.sin(), angles.cos()
    features = torch.empty(*numbers.shape, FEATURES_PER_NUMBER, device=numbers.device)
    for scale in reversed(range(N_SCALES)):
        features[..., scale] = sine
        features[..., N_SCALES + scale] = cosine
        sine, cosine = 2 * sine * cosine, 1 - 2 * sine * sine
    return features.flatten(1)
