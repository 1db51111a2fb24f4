"""One sweep of the fit by hand: the intercept, then each effect on what the ones before have left."""

import numpy as np
import pytest

from engage_pipeline.model.effects.design import Design
from engage_pipeline.model.effects.fitting import Fit, fit_effects

LABELS = np.array([True, False, True, True])
DESIGN = Design([np.array([1, 1, 2, 2], np.int32), np.array([1, 2, 2, 2], np.int32)], [3, 3], 4)


def test_the_first_intercept_is_the_log_odds_of_the_rate_with_half_a_row_of_each_kind() -> None:
    fit = fit_effects(LABELS, DESIGN, [1.0, 1.0], sweeps=0)
    assert fit.intercept == pytest.approx(np.log(3.5) - np.log(1.5))
    weighted = fit_effects(LABELS, DESIGN, [1.0, 1.0], sweeps=0, weights=np.array([1.0, 1.0, 0.0, 0.5]))
    assert weighted.intercept == pytest.approx(np.log(2.0) - np.log(1.5))


def test_a_sweep_by_hand() -> None:
    """From log-odds of 0 the chance is 1/2 and the curvature 1/4; each row counts half.

    Intercept: gradient 1/2, curvature 1/2, a step of 1, which leaves 1/8, -3/8, 1/8, 1/8. First effect: its keys have
    gradients -1/4 and 1/4, curvatures 1/4 and a prior precision of 1: -0.2 and 0.2, which leaves 0.15, -0.35, 0.1, 0.1.
    Second effect: 0.15 / (1/8 + 4) and -0.15 / (3/8 + 4), its deviation being 1/2.
    """
    start = Fit(0.0, [np.zeros(3), np.zeros(3)])
    fit = fit_effects(LABELS, DESIGN, [1.0, 0.5], sweeps=1, weights=np.full(4, 0.5), start=start)
    assert fit.intercept == pytest.approx(1.0)
    assert fit.effects[0].tolist() == pytest.approx([0.0, -0.2, 0.2])
    assert fit.effects[1].tolist() == pytest.approx([0.0, 0.15 / 4.125, -0.15 / 4.375])


def test_the_prior_pulls_back_what_stands_already() -> None:
    """Two rows of one key, one of each label, at an effect of 0 but for the prior: the step is -(1) / (h + 1)."""
    design = Design([np.ones(2, np.int32)], [2], 2)
    start = Fit(-1.0, [np.array([0.0, 1.0])])
    fit = fit_effects(np.array([True, False]), design, [1.0], sweeps=1, start=start)
    assert fit.intercept == pytest.approx(-1.0), "log-odds of 0 fit one of two"
    assert fit.effects[0].tolist() == pytest.approx([0.0, 1.0 - 1.0 / 1.5])


@pytest.mark.parametrize("sign", [1, -1])
def test_rows_that_were_thought_certain_and_are_not_move_their_key_by_two(sign: int) -> None:
    """Unbounded, a step of Newton's would be of thousands."""
    design = Design([np.ones(100, np.int32)], [2], 100)
    start = Fit(0.0, [np.array([0.0, 12.0 * sign])])
    fit = fit_effects(np.full(100, sign < 0), design, [10.0], sweeps=1, start=start)
    assert (fit.intercept, fit.effects[0].tolist()) == (-2.0 * sign, [0.0, 10.0 * sign])
