"""Learns the prior deviations of the effects from rows to which the effects were not fitted.

With the right deviation, one unit more of an effect raises the log-odds of a new row by one. So the effects are fitted,
new rows are regressed on them, and each deviation is multiplied by its effect's slope: overstated effects shrink,
understated ones grow, and useless ones fade away. An empirical Bayes estimate from the fitted rows themselves
(expectation maximisation with a Laplace approximation) was too small for pairs and tweets, which have few rows each.
"""

from collections.abc import Sequence

import numpy as np

from engage_pipeline.model.effects.design import Design
from engage_pipeline.model.effects.fitting import Fit, fit_effects
from engage_pipeline.numerics.logistic import fit_logistic

INTERCEPT_DEVIATION, SLOPE_DEVIATION = 1.0, 0.3
"""Prior deviations of the regression, around the fitted intercept and around slopes of 1."""
LEAST_SLOPE, LARGEST_SLOPE = 0.3, 2.0
LEAST_LABELS = 10
"""With fewer new rows with the outcome, or without it, nothing is learned."""


def learn_deviations(
    labels: np.ndarray, design: Design, deviations: Sequence[float], new: np.ndarray, *, sweeps: int, rounds: int
) -> list[float]:
    """Returns the deviations after `rounds` rounds; effects are fitted to the rows of `design` that are not `new`.

    `labels` and `new` are bool [n]. With too few new rows of either kind, `deviations` are returned unchanged.
    """
    rows = np.flatnonzero(new)
    positives = int(labels[rows].sum())
    if min(positives, len(rows) - positives) < LEAST_LABELS:
        return list(deviations)
    fit: Fit | None = None
    learned = np.array(deviations, np.float64)
    for _ in range(rounds):
        fit = fit_effects(labels, design, list(learned), sweeps=sweeps, weights=(~new).astype(float), start=fit)
        learned *= np.clip(_slopes(fit, design, labels, rows), LEAST_SLOPE, LARGEST_SLOPE)
    return [float(deviation) for deviation in learned]


def _slopes(fit: Fit, design: Design, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns the slope of each effect in the log-odds of the `rows`, float64 [effects]."""
    inputs = np.column_stack([np.ones(len(rows)), *fit.parts(design, rows)])
    deviations = np.array([INTERCEPT_DEVIATION, *[SLOPE_DEVIATION] * len(design.codes)])
    found = fit_logistic(
        inputs,
        labels[rows],
        mean=(fit.intercept, *[1.0] * len(design.codes)),
        precision=np.diag(deviations**-2.0),
        least=(None, *[0.0] * len(design.codes)),
    )
    return found[1:]
