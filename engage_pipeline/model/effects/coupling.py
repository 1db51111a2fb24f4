"""How the engagements of one row hang together beyond its effects: who retweets a tweet rarely likes it as well.

    log-odds of engagement e, given the earlier engagements of its row = intercept_e + its effects
                                                                        + sum over the earlier ones y of coupling[e, y]

The earlier engagements of e are those before it in RAREST_FIRST, and the probability of four labels is the product of
the four. Were the labels of a row taken as independent given its effects, those with one or two rows a key, such as a
viewer on a day, would have to say what excludes what, and their deviations would grow without end (ADR 37).
Intercepts and couplings are moved together, by sums over the rows of each of the 16 label patterns.
"""

import numpy as np

from engage_pipeline import schema
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.marginals import RAREST_FIRST

PATTERNS = 1 << K
"""The number of label patterns; the bits of a pattern are its labels, in the order of TARGETS."""
SIZE = 1 + K
"""Of what stands before the effects: an intercept, and what each of TARGETS adds in the same row."""
COUPLING_DEVIATION = 3.0
"""The prior standard deviation of a coupling in log-odds; the intercept has none."""

_PRIOR = np.array([0.0, *[COUPLING_DEVIATION**-2] * K])


def _predictors() -> np.ndarray:
    """Returns what intercept and couplings of each engagement count times in rows of each pattern: [16, 4, 5]."""
    found = np.zeros((PATTERNS, K, SIZE))
    found[:, :, 0] = 1
    labels = np.arange(PATTERNS)[:, np.newaxis] >> np.arange(K) & 1
    for place, target in enumerate(RAREST_FIRST):
        for earlier in RAREST_FIRST[:place]:
            found[:, target, 1 + earlier] = labels[:, earlier]
    return found


_PREDICTORS = _predictors()


def next_base(step: np.ndarray, pull: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Returns intercepts and couplings that are better than `base` float64 [4, 5].

    `step` and `pull` float64 [16, 4] are sums over the rows of each pattern (kernels.sum_rows). Those of an engagement
    without a row stay.
    """
    moved = base.copy()
    for target in range(len(schema.TARGETS)):
        if not step[:, target].any():
            continue
        used = np.flatnonzero(_PREDICTORS[:, target].any(axis=0))
        own, prior = _PREDICTORS[:, target, used], _PRIOR[used]
        matrix = (own * step[:, target, np.newaxis]).T @ own + np.diag(prior)
        moved[target, used] += np.linalg.solve(matrix, own.T @ pull[:, target] - prior * base[target, used])
    return moved


def of_patterns(base: np.ndarray) -> np.ndarray:
    """Returns what `base` [4, 5] adds to the log-odds of rows of each pattern, float32 [16, 4]."""
    return np.einsum("pes,es->pe", _PREDICTORS, base).astype(np.float32)
