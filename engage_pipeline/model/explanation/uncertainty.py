"""How far from a prediction the true probability may be: what the mixed model does not know of people and tweet.

The log-odds of a row are taken as normal, with the standard deviation that the effects leave and the mean by which the
mean probability is the prediction. How often the true probability is inside is measured in docs/results.md.
"""

import numpy as np

from engage_pipeline.model.effects.marginals import integrated_logits
from engage_pipeline.numerics.logistic import sigmoid

LEVEL_DEVIATIONS = 1.959964
"""So many standard deviations to each side hold 95 % of a normal distribution."""
_FARTHEST, _HALVINGS = 60.0, 50


def probability_intervals(logits: np.ndarray, deviations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lower and the upper end of the 95 % interval of each probability, float64 of the shape of `logits`.

    `logits` are those of the predictions, `deviations` the standard deviations of the effects' log-odds.
    """
    means = _centred(logits, deviations**2)
    return sigmoid(means - LEVEL_DEVIATIONS * deviations), sigmoid(means + LEVEL_DEVIATIONS * deviations)


def _centred(logits: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Returns the means of normal log-odds whose mean probability has `logits`, by halving a range around them."""
    below, above = logits - _FARTHEST, logits + _FARTHEST
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        lower = integrated_logits(middle, variances) < logits
        below, above = np.where(lower, middle, below), np.where(lower, above, middle)
    return (below + above) / 2
