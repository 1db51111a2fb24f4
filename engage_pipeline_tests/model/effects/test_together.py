"""Chains that run at a time draw what each draws alone, and stop when one fails."""

from pathlib import Path
from threading import Event

import numpy as np
import pytest

from engage_pipeline.model.effects.chain import Chain
from engage_pipeline.model.effects.together import Together
from engage_pipeline_tests.model.effects.chains import AUTHOR, VIEWER, chain_of, records_of, scores_of, weights

ROWS = 400


def settled(folder: Path) -> Chain:
    """A chain of a few sweeps."""
    rng = np.random.default_rng(5)
    people = {name: rng.integers(1, 40, ROWS) for name in ("viewer", "author")}
    chain = chain_of(records_of(rng.random((ROWS, 4)) < 0.3, **people), [AUTHOR, VIEWER], folder)
    for _ in range(3):
        chain.sweep(learn=True)
    return chain


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (4, 3)])
@pytest.mark.parametrize("learn", [False, True])
def test_each_draws_what_it_draws_alone(threads: int, at_once: int, learn: bool, tmp_path: Path) -> None:
    start, advanced = settled(tmp_path), list[int]()
    with Together(None, advanced.append, threads, at_once) as chains:
        begun = [
            chains.begin(start, weights, seed, (2, 3), "one", learn=learn, then=lambda chain: chain)
            for seed in (7, 8, 9, 10)
        ]
        found = [future.result() for future in begun]
    assert sum(advanced) == 4 * 5
    for seed, chain in zip((7, 8, 9, 10), found, strict=True):
        alone = start.branch(weights, seed, None)
        for number in range(5):
            alone.sweep(keep=number >= 2, learn=learn)
        assert np.array_equal(scores_of(chain), scores_of(alone))
        assert chain.kept == 3


def test_files_of_a_name_are_those_of_its_newest_chain(tmp_path: Path) -> None:
    start = settled(tmp_path)
    with Together(tmp_path / "files", lambda _: None, 1, 1) as chains:
        for seed in (7, 8):
            chain = chains.begin(start, weights, seed, (0, 1), "one", learn=False, then=lambda chain: chain).result()
        assert {path.parent.name for path in (tmp_path / "files").rglob("*") if path.is_file()} >= {"one"}
        assert np.array_equal(
            chain.rows.odds.read(), np.fromfile(tmp_path / "files/one/odds", np.float32).reshape(-1, 4)
        )


def test_what_fails_is_told_and_stops_the_others(tmp_path: Path) -> None:
    start, swept = settled(tmp_path), Event()

    def fail(_: Chain) -> None:
        swept.wait()
        raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"), Together(None, lambda _: swept.set(), 2, 2) as chains:
        endless = chains.begin(start, weights, 7, (5000, 0), "one", learn=False, then=lambda chain: chain)
        queued = chains.begin(start, weights, 8, (0, 0), "two", learn=False, then=fail)
        waiting = chains.begin(start, weights, 9, (5000, 0), "three", learn=False, then=lambda chain: chain)
        queued.result()
    assert isinstance(endless.exception(), InterruptedError)
    assert waiting.cancelled() or isinstance(waiting.exception(), InterruptedError)
