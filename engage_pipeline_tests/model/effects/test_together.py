"""Fits that run at a time find what each finds alone, and stop when one fails."""

from functools import partial
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.together import Together
from engage_pipeline_tests.model.effects.fits import AUTHOR, VIEWER, fit_of, records_of, scores_of, swept, weights

ROWS = 400


def settled(folder: Path) -> Fit:
    """A fit after a few sweeps."""
    rng = np.random.default_rng(5)
    people = {name: rng.integers(1, 40, ROWS) for name in ("viewer", "author")}
    return swept(fit_of(records_of(rng.random((ROWS, 4)) < 0.3, **people), [AUTHOR, VIEWER], folder), 3, learn=True)


def half(number: int, facts: np.ndarray) -> np.ndarray:
    """Weights of all rows but each third, fourth …"""
    return np.asarray(facts["weight"] * (facts["position"] % number > 0))


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (4, 3)])
def test_each_finds_what_it_finds_alone(threads: int, at_once: int, tmp_path: Path) -> None:
    start, advanced = settled(tmp_path), list[int]()
    with Together(None, advanced.append, threads, at_once) as fits:
        begun = [fits.begin(start, partial(half, number), 5, "one", lambda fit: fit) for number in (2, 3, 4, 5)]
        found = [future.result() for future in begun]
    assert sum(advanced) == 4 * 5
    for number, fit in zip((2, 3, 4, 5), found, strict=True):
        alone = swept(swept(start.branch(partial(half, number), None), 4, learn=True), 1)
        assert np.array_equal(scores_of(fit), scores_of(alone))
        assert np.array_equal(fit.covariances, alone.covariances)


def test_files_of_a_name_are_those_of_its_newest_fit(tmp_path: Path) -> None:
    start = settled(tmp_path)
    with Together(tmp_path / "files", lambda _: None, 1, 1) as fits:
        for number in (2, 3):
            fit = fits.begin(start, partial(half, number), 1, "one", lambda fit: fit).result()
        found = np.fromfile(tmp_path / "files/one/residual", np.float32).reshape(-1, 4)
    alone = swept(start.branch(partial(half, 3), None), 1)
    asked = [slice(block.start, block.stop) for block in alone.design.blocks(alone.rows.stops)]
    assert all(np.array_equal(alone.rows.residual.read()[rows], found[rows]) for rows in asked)
    assert (found.any(axis=1)).mean() == pytest.approx(2 / 3, abs=0.01)
    assert len(fit.rows.residual) == 0, "what has ended holds nothing of what its rows said"


def test_what_fails_is_told_and_stops_the_others(tmp_path: Path) -> None:
    start, swept = settled(tmp_path), Event()

    def fail(_: Fit) -> None:
        swept.wait()
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"), Together(None, lambda _: swept.set(), 2, 2) as fits:
        endless = fits.begin(start, weights, 5_000, "one", lambda fit: fit)
        queued = fits.begin(start, weights, 0, "two", fail)
        waiting = fits.begin(start, weights, 5_000, "three", lambda fit: fit)
        queued.result()
    assert isinstance(endless.exception(), InterruptedError)
    assert waiting.cancelled() or isinstance(waiting.exception(), InterruptedError)
