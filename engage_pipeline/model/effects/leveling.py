"""Moves the intercepts of a fit until the mean probability of its rows is the rate of their labels.

The intercepts of rare engagements settle long after the fit has ended: it stops while predictions are best, at which
they are too rare by up to a third. Without this, effects that are published and those of a fold, of other rows, would
not be of one level for the trees.
"""

import numpy as np

from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects.design import Block
from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.marginals import marginal_logits
from engage_pipeline.numerics.logistic import sigmoid

MOST_ROWS = 100_000
"""The rows of so many blocks decide, evenly spread."""
_ROUNDS, _SMALL_STEP = 20, 5e-3


def level(fit: Fit) -> None:
    """Moves `fit.level`, so that scores and intercepts have the rates of the rows with a weight."""
    blocks = list(fit.design.blocks())
    every = -(-len(fit.design) // MOST_ROWS)

    def work(block: Block) -> tuple[np.ndarray, ...]:
        labels, weights = fit.rows.facts(block)
        counted = np.flatnonzero(weights)
        means, variances = fit.scores(block)
        bits = labels[counted, np.newaxis] >> np.arange(K, dtype=np.uint8) & 1
        return means[counted], variances[counted], bits, weights[counted].astype(np.float64)

    found = zip(*in_order(work, blocks[::every], fit.threads), strict=True)
    means, variances, bits, weights = map(np.concatenate, found)
    if not len(means):
        return
    total = weights.sum()
    rates = (weights @ bits + 0.5) / (total + 1)
    for _ in range(_ROUNDS):
        chances = weights @ sigmoid(marginal_logits(means, variances, fit.coupling)) / total
        step = np.log(rates / (1 - rates)) - np.log(chances / (1 - chances))
        means += step
        fit.level += step
        if np.abs(step).max() < _SMALL_STEP:
            return
