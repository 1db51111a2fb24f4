"""Learns the prior deviations of the effects from rows to which the effects were not fitted.

With the right deviation, one unit more of an effect raises the log-odds of a new row by one. So the effects are fitted,
new rows are regressed on them, and each deviation is multiplied by its effect's slope: overstated effects shrink,
understated ones grow, and useless ones fade away. An empirical Bayes estimate from the fitted rows themselves
(expectation maximisation with a Laplace approximation) was too small for pairs and tweets, which have few rows each.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engage_pipeline.model.effects.design import Design
from engage_pipeline.model.effects.fitting import Target, first_fit, fit_effects
from engage_pipeline.model.effects.values import Fit
from engage_pipeline.numerics.logistic import fit_logistic

INTERCEPT_DEVIATION, SLOPE_DEVIATION = 1.0, 0.3
"""Prior deviations of the regression, around the fitted intercept and around slopes of 1."""
LEAST_SLOPE, LARGEST_SLOPE = 0.3, 2.0
LEAST_LABELS = 10
"""With fewer new rows with the outcome, or without it, nothing is learned."""


def learn_deviations(
    target: Target,
    design: Design,
    deviations: np.ndarray,
    new: Callable[[np.ndarray], np.ndarray],
    folder: Path,
    *,
    sweeps: int,
    rounds: int,
) -> np.ndarray:
    """Returns the deviations, float64 [effects, k], after `rounds` rounds from `deviations` [effects, k].

    Effects are fitted to the rows of `design` that are not new; `new` tells which are, bool [n], of rows with
    rows.FACTS [n]. Those of a problem with too few new rows of either kind stay as they are. `folder` holds the files.
    The new rows are held in memory, 8 bytes for each effect and problem.
    """
    new_rows = design.take(new, folder / "new")
    labels = np.zeros((len(new_rows), deviations.shape[1]), np.bool_)
    for block in new_rows.blocks():
        labels[block.start : block.stop] = target(block.read(new_rows.facts))[0]
    positives = labels.sum(axis=0)
    taught = np.flatnonzero(np.minimum(positives, len(labels) - positives) >= LEAST_LABELS)
    learned = deviations.copy()
    if not len(taught):
        return learned

    def old(facts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return target(facts)[0], 1.0 * ~new(facts)[:, np.newaxis]

    fit = first_fit(old, design, folder, learned.shape[1])
    for _ in range(rounds):
        fit_effects(old, design, learned, fit, folder, sweeps=sweeps)
        slopes = _slopes(fit, new_rows, labels, taught)
        learned[:, taught] *= np.clip(slopes, LEAST_SLOPE, LARGEST_SLOPE)
    return learned


def _slopes(fit: Fit, new_rows: Design, labels: np.ndarray, problems: np.ndarray) -> np.ndarray:
    """Returns the slope of each effect in the log-odds of the new rows, with `labels` [n, k]: float64 [effects, p]."""
    effects = len(fit.effects)
    inputs = np.ones((len(problems), len(new_rows), 1 + effects))
    opened = fit.opened(new_rows)
    for block in new_rows.blocks():
        inputs[:, block.start : block.stop, 1:] = opened.parts(block)[:, :, problems].transpose(2, 1, 0)
    deviations = np.array([INTERCEPT_DEVIATION, *[SLOPE_DEVIATION] * effects])
    found = [
        fit_logistic(
            own,
            labels[:, problem],
            mean=(fit.intercept[problem], *[1.0] * effects),
            precision=np.diag(deviations**-2.0),
            least=(None, *[0.0] * effects),
        )[1:]
        for own, problem in zip(inputs, problems.tolist(), strict=True)
    ]
    return np.column_stack(found)
