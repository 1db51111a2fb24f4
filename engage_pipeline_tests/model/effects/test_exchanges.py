"""What nested effects exchange against numpy, key by key, and that the rows don't notice."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import keyed_values, numbering
from engage_pipeline.model.effects.exchanges import Exchanges
from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.keyed_values import ROW, Memory
from engage_pipeline.model.effects.nesting import Nested
from engage_pipeline_tests.model.effects.fits import (
    AUTHOR,
    FOLLOWS,
    HOUR,
    PAIR,
    VIEWER,
    by_position,
    fit_of,
    labels_of,
    odds_of,
    records_of,
    scores_of,
    swept,
    weights,
)
from engage_pipeline_tests.model.effects.lane_matrices import covariance_of

EFFECTS = [
    HOUR,
    FOLLOWS,
    replace(AUTHOR, parents=("hour",)),
    replace(VIEWER, parents=("follows",)),
    replace(PAIR, parents=("viewer", "author", "follows")),
]


def world_of(folder: Path, *, in_files: bool) -> Fit:
    """A fit to 600 rows of 40 viewers in blocks of some 50 rows, whose keys have any means."""
    rng = np.random.default_rng(7)
    viewer, author = np.repeat(1 + np.arange(40), 15), rng.integers(1, 30, 600)
    fields = {"viewer": viewer, "author": author, "hour": 1 + author % 4, "follows": 1 + viewer % 2}
    fit = fit_of(records_of(rng.random((600, K)) < 0.3, **fields), EFFECTS, folder, in_files=in_files)
    for effect, keys in enumerate(fit.keys):
        values = rng.normal(size=(len(keys), 2 * K)).astype(np.float32)
        values[:, K:] **= 2
        values[0] = 0
        for term in fit.design.local:
            if term.effect == effect:
                values[term.first[:-1]] = 0  # of each block, the key of rows without one
        keys.write(0, values)
        fit.covariances[effect] = covariance_of(effect)
    return fit


def exchanged(fit: Fit) -> None:
    """Does an exchange of `fit`, block by block, as sweeps do."""
    exchanges, odds = fit.exchanges, fit._odds
    inverse, memories = list(np.linalg.inv(fit.covariances)), [Memory(), Memory()]
    for memory in memories:
        memory.take(1000, ROW)[:] = np.nan
    exchanges.begin([len(keys) for keys in fit.keys], memories[1])
    for block in fit.design.blocks():
        exchanges.add(exchanges.parents(block.number), odds.keys_of(block))
    exchanges.settle(fit.keys, inverse, 2, memories)
    for block in fit.design.blocks():
        own = odds.keys_of(block)
        exchanges.take(block.number, exchanges.parents(block.number), own, inverse)
        for term in fit.design.local:
            fit.keys[term.effect].write(term.keys(block)[0], own[term.effect])
    exchanges.end()
    odds.forget()


def plainly(nested: Sequence[Nested], fit: Fit) -> list[np.ndarray]:
    """The means of all keys after an exchange, float64 [keys, 4] of each effect, by one key after the other."""
    means = [keys.read()[:, :K].astype(np.float64) for keys in fit.keys]
    upward = [one for one in nested if one.children is not None and not one.within]
    shared = [one for one in nested if one.children is None]
    for one in [*upward, *shared, *(one for one in nested if one.within)]:
        parents = one.parents.read().astype(np.int64)
        if one.within:
            first = next(term.first for term in fit.design.local if term.effect == one.coarse)
            blocks = np.searchsorted(one.children, np.arange(len(parents)), side="right") - 1
            parents = np.where(parents, parents + first[blocks], 0)
        fine, coarse = (np.linalg.inv(fit.covariances[effect]) for effect in (one.fine, one.coarse))
        for parent in set(parents.tolist()) - {0}:
            own = parents == parent
            matrix = np.count_nonzero(own) * fine + coarse
            pull = fine @ means[one.fine][own].sum(axis=0) - coarse @ means[one.coarse][parent]
            shift = np.linalg.solve(matrix, pull)
            means[one.coarse][parent] += shift
            means[one.fine][own] -= shift
    return means


@pytest.mark.parametrize("in_files", [False, True])
def test_an_exchange_is_that_of_each_key_and_leaves_the_log_odds(
    in_files: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer's pairs have three parents, two of them in all blocks: what one takes over the other can't."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 50)
    monkeypatch.setattr(keyed_values, "CHUNK", 13)
    fit = world_of(tmp_path, in_files=in_files)
    assert len(list(fit.design.blocks())) > 5
    kinds = {(one.fine, one.coarse): (one.children is None, one.within) for one in fit.exchanges.nested}
    assert kinds == {
        (2, 0): (True, False),
        (3, 1): (False, False),
        (4, 3): (False, True),
        (4, 2): (False, False),
        (4, 1): (False, False),
    }
    before, expected = scores_of(fit), plainly(fit.exchanges.nested, fit)
    kept = [keys.read()[:, K:].copy() for keys in fit.keys]
    exchanged(fit)
    after = scores_of(fit)
    assert after[0] == pytest.approx(before[0], abs=1e-5)
    assert np.array_equal(after[1], before[1])
    for effect, keys in enumerate(fit.keys):
        assert keys.read()[:, :K] == pytest.approx(expected[effect], abs=1e-5), EFFECTS[effect].name
        assert np.array_equal(keys.read()[:, K:], kept[effect])
    exchanges = Exchanges(fit.exchanges.nested)
    exchanges.take(0, exchanges.parents(0), {}, [])
    assert exchanges._shifts is None, "nothing to take"


@pytest.mark.parametrize("in_files", [False, True])
def test_rows_are_asked_of_what_the_fit_says_before_an_exchange(
    in_files: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they answer is what they would answer once it has ended, since it leaves their log-odds."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 50)
    fit = swept(world_of(tmp_path, in_files=in_files), 20)
    fit.sweep(more=True)
    answers = by_position(fit, fit.rows.residual)
    for block in fit.design.blocks():
        own = fit._odds.keys_of(block)
        fit.exchanges.take(block.number, fit.exchanges.parents(block.number), own, np.linalg.inv(fit.covariances))
        for term in fit.design.local:
            fit.keys[term.effect].write(term.keys(block)[0], own[term.effect])
    assert fit._pending is not None
    labels = labels_of(fit)
    since = fit._pending[1][(labels << np.arange(K)).sum(axis=1)]
    chances = 1 / (1 + np.exp(-(odds_of(fit) - since) / np.sqrt(1 + np.pi / 8 * scores_of(fit)[1])))
    assert answers == pytest.approx(labels - chances, abs=1e-4)
    assert np.abs(since).max() > 1e-3, "the base has moved since they were asked"


def test_what_a_fit_exchanged_it_does_not_exchange_again(tmp_path: Path) -> None:
    """A branch, which has exchanged nothing, goes on to the same."""
    fit = swept(world_of(tmp_path, in_files=False), 3)
    branch = fit.branch(weights, None)
    assert np.array_equal(scores_of(swept(branch, 2)), scores_of(swept(fit, 2)))


def test_rows_that_are_asked_by_the_sweep_before_answer_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last bit, where no effects are nested."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 50)
    records = records_of(np.random.default_rng(3).random((300, K)) < 0.4, viewer=np.repeat(1 + np.arange(30), 10))
    records["author"], records["hour"] = 1 + np.arange(300) % 7, 1 + np.arange(300) % 3
    before, after = (fit_of(records, [HOUR, AUTHOR, VIEWER], tmp_path / name) for name in ("before", "after"))
    for _ in range(5):
        after.sweep(learn=True)
    assert np.array_equal(scores_of(swept(before, 5, learn=True)), scores_of(after))
