"""The covariance of an effect, learned from the means and variances of its keys.

Were the means all that is known, the covariance would be that of the means; the variances tell how much of it the rows
have not shown. D. MacKay's update (Bayesian interpolation, Neural Computation 1992, section 4) weighs the products of
the means by the number of keys that the rows determine. Its fixed point is that of expectation maximization, which
would take hundreds of steps where a key has few rows. What does not belong here: the values.
"""

import numpy as np

from engage_pipeline.model.effects.kernels import K

FREEDOM = K + 1
"""So many keys of PRIOR_VARIANCE are added."""
PRIOR_VARIANCE = 0.003
"""Small, so that an effect that the data don't need vanishes."""
FARTHEST = 1.5
"""A variance is multiplied or divided by at most so much at a time: means follow the covariance, and it the means."""
_LEAST = 1e-8


def learned(covariance: np.ndarray, moments: np.ndarray, keys: int) -> np.ndarray:
    """Returns the next covariance, float64 [4, 4], of an effect with `keys` keys.

    `moments` float64 [2, 4, 4]: the products of the means, and the covariances of the keys, summed over the keys
    (kernels.solve_keys).
    """
    root = _power(covariance, 0.5)
    inverse = np.linalg.inv(root)
    products = inverse @ (moments[0] + FREEDOM * PRIOR_VARIANCE * np.eye(K)) @ inverse
    determined = _power((keys + FREEDOM) * np.eye(K) - inverse @ moments[1] @ inverse, -0.5)
    ratio = _power(determined @ products @ determined, 1.0, 1 / FARTHEST, FARTHEST)
    return np.asarray(root @ ratio @ root + _LEAST * np.eye(K))


def _power(matrix: np.ndarray, exponent: float, least: float = 0.0, most: float = np.inf) -> np.ndarray:
    """Returns a power of a symmetric matrix, whose eigenvalues are kept between `least` and `most`."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    powers = np.clip(np.maximum(values, _LEAST**2) ** exponent, least, most)
    return np.asarray((vectors * powers) @ vectors.T)
