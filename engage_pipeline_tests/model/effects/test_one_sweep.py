"""One sweep of the fit by hand: the intercept, then each effect on what the ones before have left."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects.fitting import first_fit
from engage_pipeline_tests.model.effects.designs import made

LABELS = np.array([True, False, True, True])
CODES = [np.array([1, 1, 2, 2]), np.array([1, 2, 2, 2])]
FIELDS = ("viewer", "author")


def test_the_first_intercept_is_the_log_odds_of_the_rate_with_half_a_row_of_each_kind(tmp_path: Path) -> None:
    own = made(tmp_path, CODES, FIELDS)
    fit = first_fit(own.target(LABELS), own.design, tmp_path / "even", 1)
    assert fit.intercept == pytest.approx(np.log(3.5) - np.log(1.5))
    weights = np.array([1.0, 1.0, 0.0, 0.5])
    fit = first_fit(own.target(LABELS, weights), own.design, tmp_path / "weighted", 1)
    assert fit.intercept == pytest.approx(np.log(2.0) - np.log(1.5))


@pytest.mark.parametrize("fields", [("viewer", "author"), ("author", "viewer"), ("hour", "media")])
def test_a_sweep_by_hand(fields: tuple[str, str], tmp_path: Path) -> None:
    """From log-odds of 0 the chance is 1/2 and the curvature 1/4; each row counts half.

    Intercept: gradient 1/2, curvature 1/2, a step of 1, which leaves 1/8, -3/8, 1/8, 1/8. First effect: its keys have
    gradients -1/4 and 1/4, curvatures 1/4 and a prior precision of 1: -0.2 and 0.2, which leaves 0.15, -0.35, 0.1, 0.1.
    Second effect: 0.15 / (1/8 + 4) and -0.15 / (3/8 + 4), its deviation being 1/2.
    """
    own = made(tmp_path, CODES, fields)
    start = own.start(0.0, [[0.0] * 3, [0.0] * 3])
    fit = own.fit(LABELS, [1.0, 0.5], sweeps=1, weights=np.full(4, 0.5), start=start)
    assert fit.intercept == pytest.approx(1.0)
    first, second = own.values(fit)
    assert first.tolist() == pytest.approx([0.0, -0.2, 0.2])
    assert second.tolist() == pytest.approx([0.0, 0.15 / 4.125, -0.15 / 4.375])


@pytest.mark.parametrize("field", ["viewer", "author"])
def test_the_prior_pulls_back_what_stands_already(field: str, tmp_path: Path) -> None:
    """Two rows of one key, one of each label, at an effect of 0 but for the prior: the step is -(1) / (h + 1)."""
    own = made(tmp_path, [np.ones(2, int)], [field])
    fit = own.fit(np.array([True, False]), [1.0], sweeps=1, start=own.start(-1.0, [[0.0, 1.0]]))
    assert fit.intercept == pytest.approx(-1.0), "log-odds of 0 fit one of two"
    assert own.values(fit)[0].tolist() == pytest.approx([0.0, 1.0 - 1.0 / 1.5])


@pytest.mark.parametrize("sign", [1, -1])
def test_rows_that_were_thought_certain_and_are_not_move_their_key_by_two(sign: int, tmp_path: Path) -> None:
    """Unbounded, a step of Newton's would be of thousands."""
    own = made(tmp_path, [np.ones(100, int)], ["viewer"])
    fit = own.fit(np.full(100, sign < 0), [10.0], sweeps=1, start=own.start(0.0, [[0.0, 12.0 * sign]]))
    assert (fit.intercept.tolist(), own.values(fit)[0].tolist()) == ([-2.0 * sign], [0.0, 10.0 * sign])
