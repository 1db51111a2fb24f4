"""The covariance of an effect, drawn given the values of its keys, and the scale of these, drawn given the rows.

A covariance that is drawn given values, and values given the covariance, move slowly where rows say little of a key.
So the values b of all keys are A c, with c ~ Normal(0, S); S is drawn given c, and the matrix A given c and the rows.
The covariance of b is A S A': parameter expansion (J. Liu, Y. Wu, Parameter expansion for data augmentation, JASA
1999). A is kept from one draw to the next: were it set to the identity, the covariance of an effect of which rows say
little would grow without end. What does not belong here: the values.
"""

import numpy as np

from engage_pipeline.model.effects.kernels import K

FREEDOM = K + 1
"""Degrees of freedom of the inverse Wishart prior."""
PRIOR_VARIANCE = 0.003
"""Its scale: small, so that an effect that the data don't need vanishes."""

_LARGEST_CONDITION = 1e4


def draw_covariance(products: np.ndarray, keys: int, rng: np.random.Generator) -> np.ndarray:
    """Draws S, float64 [4, 4], given the sum of c c' over `keys` keys, `products` [4, 4]."""
    scale = products + FREEDOM * PRIOR_VARIANCE * np.eye(K)
    factor = np.linalg.cholesky(np.linalg.inv(scale))
    bartlett = np.tril(rng.standard_normal((K, K)), -1)
    np.fill_diagonal(bartlett, np.sqrt(rng.chisquare(FREEDOM + keys - np.arange(K))))
    root = factor @ bartlett
    return np.linalg.inv(root @ root.T)


def draw_scale(moments: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws the matrix A, float64 [4, 4], from `moments` of c (kernels.draw_keys); its prior is the identity, variance
    1.

    Row e of A is a regression of the rows' engagement e on the values c of their keys.
    """
    found = np.empty((K, K))
    for one in range(K):
        precision = moments[1 + one] + np.eye(K)
        factor = np.linalg.cholesky(precision)
        right = moments[1 + K, one] + np.eye(K)[one]
        mean = np.linalg.solve(precision, right)
        found[one] = mean + np.linalg.solve(factor.T, rng.standard_normal(K))
    return found


def unscaled(moments: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Returns the moments of c from those of b = A c, A = `scale` [4, 4]."""
    inverse = np.linalg.inv(scale)
    found = inverse @ moments @ inverse.T
    found[1 + K] = moments[1 + K] @ inverse.T  # the pulls in its rows are not values
    return found


def regular(scale: np.ndarray) -> np.ndarray:
    """Returns a copy of A, `scale` [4, 4]; the identity where it is nearly singular, so that c begins anew as b."""
    return scale.copy() if np.linalg.cond(scale) < _LARGEST_CONDITION else np.eye(K)
