"""Draws from the Polya-Gamma distribution PG(1, c), compiled by numba.

By L. Devroye's method of alternating series, as N. Polson, J. Scott and J. Windle describe it (Bayesian inference for
logistic models using Polya-Gamma latent variables, JASA 2013, section 4 and its supplement): a proposal from one of two
sides, an inverse Gaussian below _SIDE and an exponential above it, is accepted with the probability that a series
tells. Nearly always its first term is enough, and is not computed. The share of the right side depends on c alone; it
is interpolated in a table, whose error is below 1e-6.
"""

from math import erfc, exp, pi, sqrt

import numpy as np

from engage_pipeline.numerics.compilation import compiled_within

_SIDE = 0.64
_LARGEST, _STEPS = 16.0, 128
"""The table is for z = |c| / 2 up to _LARGEST, where the right side has no share any more, with _STEPS for each 1."""
_SURELY = 0.994
"""Below this, a uniform number accepts: the first term of the series takes at most 3 exp(-4 / _SIDE) = 0.0058."""
_inner = compiled_within()


def share_of_the_right(z: float) -> float:
    """Returns the probability that a proposal is above _SIDE."""
    root = 1 / sqrt(_SIDE)
    left = sum(exp(sign * z) * erfc(root * (1 + sign * _SIDE * z) / sqrt(2)) for sign in (-1.0, 1.0))
    rate = pi * pi / 8 + z * z / 2
    right = pi / (2 * rate) * exp(-rate * _SIDE)
    return right / (right + left)


_SHARES = np.array([share_of_the_right(place / _STEPS) for place in range(int(_LARGEST) * _STEPS + 2)])


@_inner
def polya_gamma(c: float, rng: np.random.Generator) -> float:
    """Draws from PG(1, c), whose mean is tanh(c / 2) / (2 c)."""
    z = min(abs(c) / 2, 30.0)
    place = min(z, _LARGEST) * _STEPS
    low = int(place)
    share = _SHARES[low] + (place - low) * (_SHARES[low + 1] - _SHARES[low])
    while True:
        if rng.random() < share:
            x = _SIDE + rng.standard_exponential() / (pi * pi / 8 + z * z / 2)
        else:
            x = _inverse_gaussian_below(z, rng)
        if _accepts(x, rng.random()):
            return x / 4


@_inner
def _accepts(x: float, uniform: float) -> bool:
    """Whether the alternating series of the density at x, over its first term, is above `uniform`."""
    if uniform < _SURELY:
        return True
    falling = pi * pi * x / 2 if x > _SIDE else 2 / x
    total, n = 1.0, 0
    while True:
        n += 1
        term = (2 * n + 1) * exp(-n * (n + 1) * falling)
        if n % 2:
            total -= term
            if uniform <= total:
                return True
        else:
            total += term
            if uniform > total:
                return False


@_inner
def _inverse_gaussian_below(z: float, rng: np.random.Generator) -> float:
    """Draws from the inverse Gaussian of mean 1 / z and shape 1, given that it is below _SIDE."""
    if z * _SIDE < 1:
        while True:
            first, second = rng.standard_exponential(), rng.standard_exponential()
            if first * first <= 2 * second / _SIDE:
                x = _SIDE / (1 + _SIDE * first) ** 2
                if rng.random() <= exp(-z * z * x / 2):
                    return x
    mean = 1 / z
    while True:
        y = rng.standard_normal() ** 2
        x = mean + mean * mean * y / 2 - mean / 2 * sqrt(4 * mean * y + (mean * y) ** 2)
        if rng.random() > mean / (mean + x):
            x = mean * mean / x
        if x <= _SIDE:
            return x
