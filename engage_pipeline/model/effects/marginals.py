"""From means and variances of log-odds to the log-odds of each engagement, whatever else happens in its row."""

import numpy as np

from engage_pipeline import schema
from engage_pipeline.numerics.logistic import sigmoid

RAREST_FIRST = tuple(schema.TARGETS.index(name) for name in ("retweet_with_comment", "reply", "retweet", "like"))
"""The order in which engagements depend on each other (module coupling), as places in TARGETS: the probability of a
rare one then is a sum of few terms."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
_SHARES = _WEIGHTS / _WEIGHTS.sum()
_LEAST, _FARTHEST = 1e-300, 300.0
_AT_ONCE = 1024
"""So many rows are worked on at a time, so that what is computed of them stays in the cache."""
_STATES = [place for place in range(len(RAREST_FIRST)) for _ in range(1 << place)]
_OWNERS = np.array([RAREST_FIRST[place] for place in _STATES])
"""One engagement after the other in that order, each once for every state of those before it: 15 in all."""


def _earlier() -> np.ndarray:
    """Returns which of TARGETS happened before each of _OWNERS, float64 [15, 4]."""
    found = np.zeros((len(_STATES), len(RAREST_FIRST)))
    for row, place in enumerate(_STATES):
        state = row + 1 - (1 << place)
        for bit, target in enumerate(RAREST_FIRST[:place]):
            found[row, target] = state >> bit & 1
    return found


_EARLIER = _earlier()


def integrated_logits(means: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Returns the log-odds of the mean of sigmoid(x), x normal with `means` and `variances` [n, m]: float64 [n, m].

    By Gauss-Hermite quadrature with 9 nodes.
    """
    deviations = np.sqrt(variances)
    signs = np.where(means > 0, -1.0, 1.0)  # of the rarer side, which keeps its digits
    chance = np.zeros_like(means)
    for node, weight in zip(_NODES.tolist(), _SHARES.tolist(), strict=True):
        chance += weight * sigmoid(signs * means + deviations * node)
    return signs * (np.log(np.maximum(chance, _LEAST)) - np.log1p(-chance))


def marginal_logits(means: np.ndarray, variances: np.ndarray, coupling: np.ndarray) -> np.ndarray:
    """Returns the log-odds of each engagement, float64 [n, 4], summed over what else may happen in the row.

    `means` and `variances` [n, 4] are those of the log-odds without `coupling` [4, 4], of which engagement y of a row
    adds element [e, y] to e. What is not known of one engagement is taken as independent of what is not of another.
    """
    from engage_pipeline.model.effects.chances import add_chances  # numba takes a second to load

    if len(means) > _AT_ONCE:
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(means), _AT_ONCE)]
        return np.concatenate([marginal_logits(means[part], variances[part], coupling) for part in parts])
    turned, deviations = means.T.copy()[:, np.newaxis], np.sqrt(variances.T.copy())[:, np.newaxis]
    logits = turned + deviations * _NODES[:, np.newaxis]
    against = np.exp(np.clip(-logits, -_FARTHEST, _FARTHEST))  # by numpy, which takes many at a time
    happens, fails = np.zeros((2, len(_STATES), len(means)))
    factors = np.exp(-(coupling[_OWNERS] * _EARLIER).sum(axis=1))
    add_chances(against, _OWNERS, factors, _SHARES, happens, fails)
    found, states = np.empty_like(means), np.ones((1, len(means)))
    for place, target in enumerate(RAREST_FIRST):
        own = slice((1 << place) - 1, (2 << place) - 1)
        with_it, without = states * happens[own], states * fails[own]
        found[:, target] = np.log(with_it.sum(axis=0)) - np.log(without.sum(axis=0))
        states = np.concatenate([without, with_it])
    return found
