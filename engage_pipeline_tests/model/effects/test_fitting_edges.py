"""Fits without rows, steps that are too bold, and effects that share cells against the same ones apart."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import fitting, numbering
from engage_pipeline_tests.model.effects.fits import (
    AUTHOR,
    FOLLOWS,
    HOUR,
    PAIR,
    VIEWER,
    deviations_of,
    fit_of,
    odds_of,
    records_of,
    scores_of,
    swept,
)


def test_without_a_row_that_counts_the_intercept_stays_and_covariances_do_not_grow(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    records = records_of(rng.random((300, 4)) < 0.1, viewer=1 + np.arange(300) // 3, author=1 + np.arange(300) % 7)
    records["facts"]["weight"] = 0
    fit = swept(fit_of(records, [VIEWER, AUTHOR], tmp_path), 60, learn=True)
    assert fit.base.tolist() == [[0.0] * 5] * 4
    assert not odds_of(fit).any()
    assert (deviations_of(fit) <= 1).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_labels_that_are_all_alike_leave_finite_numbers(share: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    records = records_of(rng.random((3000, 4)) < share, viewer=1 + np.arange(3000) // 3, author=1 + np.arange(3000) % 7)
    fit = swept(fit_of(records, [VIEWER, AUTHOR, PAIR], tmp_path), 60, learn=True)
    means, variances = scores_of(fit)
    assert (np.sign(means) == (1 if share else -1)).all()
    assert (np.abs(means) < 30).all()
    assert (variances < 10).all()


def rare(seed: int) -> np.ndarray:
    """Rows of few viewers and authors, of whom each sees each, with a rare engagement."""
    rng = np.random.default_rng(seed)
    viewer, author = rng.integers(0, 60, (2, 6000))
    log_odds = 2 * rng.normal(size=60)[viewer] + 2 * rng.normal(size=60)[author] - 6
    labels = rng.random((6000, 4)) < 1 / (1 + np.exp(-log_odds[:, np.newaxis]))
    return records_of(labels, viewer=1 + viewer, author=1 + author)


def test_steps_that_are_too_bold_make_the_rest_careful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of the curvature here and now alone overshoot where an engagement is rare."""
    careful = fit_of(rare(1), [AUTHOR, VIEWER, PAIR], tmp_path / "careful")
    careful._caution = fitting._CAREFUL
    expected = odds_of(swept(careful, 300))
    found = {}
    for rise in (np.inf, fitting._RISE):
        monkeypatch.setattr(fitting, "_RISE", rise)
        fit = fit_of(rare(1), [AUTHOR, VIEWER, PAIR], tmp_path / f"bold-{rise}")
        fit._caution = 0.0
        with np.errstate(all="ignore"):
            found[rise] = odds_of(swept(fit, 300))
    assert not np.allclose(found[np.inf], expected, atol=1)
    assert found[fitting._RISE] == pytest.approx(expected, abs=0.1)


def test_effects_that_share_cells_are_those_of_effects_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same rows but for a few, so that one has to know what the other has just taken."""
    rng = np.random.default_rng(2)
    hour = rng.integers(1, 3, 400)
    follows = np.where(rng.random(400) < 0.05, rng.integers(1, 3, 400), hour)
    log_odds = np.array([1.0, -1.0])[hour - 1] + np.array([0.7, -0.7])[follows - 1]
    labels = rng.random((400, 4)) < 1 / (1 + np.exp(-log_odds[:, np.newaxis]))
    records = records_of(labels, viewer=1 + np.arange(400), hour=hour, follows=follows)
    found = []
    for name, most in (("together", 1 << 62), ("apart", 0)):
        monkeypatch.setattr(numbering, "_MOST_CELLS", most)
        fit = swept(fit_of(records, [HOUR, FOLLOWS], tmp_path / name), 5)
        assert len(fit.design.terms) == (1 if most else 2)
        found.append(scores_of(fit)[0])
    assert found[0] == pytest.approx(found[1], abs=0.01)
