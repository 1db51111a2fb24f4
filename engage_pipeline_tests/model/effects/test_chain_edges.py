"""Chains without rows, and effects that share cells against the same ones apart."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import numbering
from engage_pipeline_tests.model.effects.chains import (
    AUTHOR,
    FOLLOWS,
    HOUR,
    VIEWER,
    chain_of,
    log_odds_of,
    records_of,
    scores_of,
)


def test_without_a_row_that_counts_the_intercept_stays_and_covariances_do_not_grow(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    records = records_of(rng.random((300, 4)) < 0.1, viewer=1 + np.arange(300) // 3, author=1 + np.arange(300) % 7)
    records["facts"]["weight"] = 0
    chain = chain_of(records, [VIEWER, AUTHOR], tmp_path)
    for _ in range(60):
        chain.sweep(learn=True)
    assert chain.base.tolist() == [[0.0] * 5] * 4
    assert np.isfinite(log_odds_of(chain)).all()
    assert (np.sqrt(np.diagonal(chain.covariances, axis1=1, axis2=2)) < 30).all()


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
        chain = chain_of(records, [HOUR, FOLLOWS], tmp_path / name)
        assert len(chain.design.terms) == (1 if most else 2)
        drawn = []
        for number in range(800):
            chain.sweep(keep=number >= 100)
            drawn.append(log_odds_of(chain)[:20])
        found.append((scores_of(chain)[0], np.std(drawn[100:], axis=0)))
    assert found[0][0] == pytest.approx(found[1][0], abs=0.1)
    assert found[0][1] == pytest.approx(found[1][1], rel=0.3)


def test_what_is_pending_is_applied_once(tmp_path: Path) -> None:
    """Sweeps in which it waits for the next one, against the same sweeps with all of it applied between them."""
    rng = np.random.default_rng(3)
    labels = rng.random((600, 4)) < 0.3
    records = records_of(labels, viewer=1 + np.arange(600) // 6, author=1 + np.arange(600) % 7)
    found = []
    for name, at_once in (("waits", False), ("at-once", True)):
        chain = chain_of(records, [AUTHOR, VIEWER], tmp_path / name)
        for _ in range(4):
            chain.sweep(learn=True)
            if at_once:
                chain.settle()
        found.append(log_odds_of(chain))
    assert found[0] == pytest.approx(found[1], abs=1e-3)
