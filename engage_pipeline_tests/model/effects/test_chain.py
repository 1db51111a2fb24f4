"""The sampler against exact posteriors by quadrature, against planted effects, and against itself."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import chain as chain_module
from engage_pipeline.model.effects import keyed_values, numbering
from engage_pipeline.model.effects.chain import Chain
from engage_pipeline.model.effects.effects import Effect
from engage_pipeline.model.effects.kernels import K
from engage_pipeline_tests.model.effects.chains import (
    AUTHOR,
    FOLLOWS,
    HOUR,
    PAIR,
    TREND,
    VIEWER,
    chain_of,
    log_odds_of,
    records_of,
    scores_of,
    sums_of,
    weights,
)


def sampled(chain: Chain, burnt: int, kept: int, *, learn: bool = False) -> Chain:
    for number in range(burnt + kept):
        chain.sweep(keep=number >= burnt, learn=learn)
    return chain


def exact(labels: np.ndarray, keys: np.ndarray, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means of intercept and effects of one engagement, float64 [1 + keys], and their standard deviations:
    on a grid of all of them, the intercept flat."""
    grid = np.linspace(-6, 6, 61)
    size = int(keys.max()) + 1
    log_density = np.zeros([len(grid)] * (1 + size))
    axes = [grid.reshape([-1 if place == axis else 1 for place in range(1 + size)]) for axis in range(1 + size)]
    for key in range(size):
        odds = axes[0] + axes[1 + key]
        positives, rows = labels[keys == key].sum(), (keys == key).sum()
        log_density = (
            log_density + positives * odds - rows * np.logaddexp(0, odds) - axes[1 + key] ** 2 / deviation**2 / 2
        )
    density = np.exp(log_density - log_density.max())
    means, deviations = [], []
    for axis in axes:
        mean = (density * axis).sum() / density.sum()
        means.append(mean)
        deviations.append(np.sqrt((density * (axis - mean) ** 2).sum() / density.sum()))
    return np.array(means), np.array(deviations)


@pytest.mark.parametrize(("effect", "alone"), list(product([VIEWER, AUTHOR], range(K))))
def test_few_rows_have_the_exact_posterior(effect: Effect, alone: int, tmp_path: Path) -> None:
    """Two keys, one with 3 rows and one with 5, of a viewer (in a block) or of an author (in all blocks); of one
    engagement alone, so that there is none that it could depend on."""
    keys = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    labels = np.array(
        [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 1], [0, 0, 0, 1], [0, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]]
    )
    labels[:, np.arange(K) != alone] = 0
    records = records_of(labels.astype(bool), **{effect.name: 1 + keys})
    chain = sampled(chain_of(records, [effect], tmp_path), 200, 6000)
    means, variances = scores_of(chain)
    expected, deviations = exact(labels[:, alone], keys, 1.0)
    assert chain.intercepts[alone] == pytest.approx(expected[0], abs=0.15)
    assert means[[0, 3], alone] - chain.intercepts[alone] == pytest.approx(expected[1:], abs=0.1)
    assert (np.sqrt(variances[[0, 3], alone]) <= deviations[1:] + 0.05).all()
    assert (np.sqrt(variances[[0, 3], alone]) > 0.5 * deviations[1:]).all()


def planted(seed: int, viewers: int, rows: int, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Records of `rows` rows for each viewer, whose effects have that covariance; and the effects [viewers, 4]."""
    rng = np.random.default_rng(seed)
    effects = rng.multivariate_normal(np.zeros(K), covariance, viewers)
    viewer = np.repeat(np.arange(viewers), rows)
    labels = rng.random((len(viewer), K)) < 1 / (1 + np.exp(1 - effects[viewer]))
    fields = {"author": rng.integers(1, 8, len(viewer)), "hour": 1 + viewer % 5, "follows": 1 + viewer % 3}
    return records_of(labels, viewer=1 + viewer, **fields), effects


COVARIANCE = np.array([[1.0, 0.6, 0.0, 0.0], [0.6, 1.0, 0.0, 0.0], [0.0, 0.0, 0.25, 0.0], [0.0, 0.0, 0.0, 2.0]])


def test_covariances_and_effects_are_found_again(tmp_path: Path) -> None:
    """Of 400 viewers with 30 rows each, from a start at deviations of 0.3."""
    records, effects = planted(1, 400, 30, COVARIANCE)
    chain = chain_of(records, [replace(VIEWER, deviation=0.3)], tmp_path)
    sampled(chain, 30, 0, learn=True)
    sampled(chain, 0, 60, learn=True)
    assert chain.kept_covariances[0] / chain.kept == pytest.approx(COVARIANCE, abs=0.3)
    means, _ = scores_of(chain)
    for one in range(K):
        assert np.corrcoef(means[::30, one], effects[:, one])[0, 1] > (0.6 if one == 2 else 0.85)


def test_an_effect_that_the_data_don_t_need_vanishes(tmp_path: Path) -> None:
    records, _ = planted(2, 300, 20, COVARIANCE)
    chain = sampled(chain_of(records, [VIEWER, AUTHOR, PAIR], tmp_path), 120, 60, learn=True)
    deviations = np.sqrt(np.diagonal(chain.kept_covariances / chain.kept, axis1=1, axis2=2))
    assert (deviations[1:] < 0.45).all(), "from 1"


def test_log_odds_are_the_sums_of_the_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After sweeps with everything in them: cells, slopes, nested effects, scales that are drawn, ranges of keys."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 100)
    monkeypatch.setattr(keyed_values, "CHUNK", 3)
    records, _ = planted(3, 50, 12, COVARIANCE)
    records["age"] = np.arange(len(records)) % 300
    chain = chain_of(records, [HOUR, FOLLOWS, AUTHOR, VIEWER, PAIR, TREND], tmp_path)
    for learn in (False, True, True):
        chain.sweep(learn=learn)
        assert np.allclose(log_odds_of(chain), sums_of(chain), atol=1e-3)


def test_files_and_memory_give_the_same_and_a_seed_always_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 100)
    records, _ = planted(4, 40, 10, COVARIANCE)
    effects = [HOUR, AUTHOR, VIEWER, PAIR]
    found = []
    for name, in_files, seed in (("a", False, 1), ("b", True, 1), ("c", False, 1), ("d", False, 2)):
        chain = sampled(chain_of(records, effects, tmp_path / name, in_files=in_files, seed=seed), 3, 3, learn=True)
        found.append(scores_of(chain))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert not np.allclose(found[0], found[3])


@pytest.mark.parametrize("in_files", [False, True])
def test_any_number_of_threads_draws_the_same(in_files: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit, since sums are made in the order of the blocks; a branch too."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 100)
    monkeypatch.setattr(chain_module, "_FEW_KEYS", 0)  # sums of float32 tell another order soonest
    monkeypatch.setattr(keyed_values, "CHUNK", 3)
    records, _ = planted(4, 60, 10, COVARIANCE)
    found = []
    for threads in (1, 2, 7):
        folder = tmp_path / str(threads)
        effects = [HOUR, AUTHOR, VIEWER, PAIR]
        chain = sampled(chain_of(records, effects, folder, in_files=in_files, threads=threads), 3, 3, learn=True)
        branch = sampled(chain.branch(weights, 9, folder / "branch" if in_files else None, threads), 1, 2)
        assert branch.threads == threads
        assert len(list(chain.design.blocks())) > 3
        found.append(np.stack([*scores_of(chain), *scores_of(branch), log_odds_of(branch)]))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_rows_of_no_weight_teach_nothing(tmp_path: Path) -> None:
    records, _ = planted(5, 40, 10, COVARIANCE)
    other = records.copy()
    records["facts"]["weight"][::3] = other["facts"]["weight"][::3] = 0
    other["facts"]["labels"][::3] ^= 15
    found = [
        scores_of(sampled(chain_of(one, [VIEWER, AUTHOR], tmp_path / name), 3, 3, learn=True))
        for name, one in (("a", records), ("b", other))
    ]
    assert np.array_equal(*found)


def test_a_branch_goes_its_own_way_and_leaves_the_chain_as_it_was(tmp_path: Path) -> None:
    records, _ = planted(6, 40, 10, COVARIANCE)
    chain = sampled(chain_of(records, [VIEWER, AUTHOR], tmp_path, in_files=True), 4, 0, learn=True)
    before = log_odds_of(chain)
    branch = chain.branch(weights, 9, tmp_path / "branch")
    assert np.allclose(log_odds_of(branch), before, atol=1e-5)
    sampled(branch, 2, 2)
    assert np.allclose(log_odds_of(chain), before, atol=1e-5)
    assert not np.allclose(log_odds_of(branch), before, atol=0.1)
    assert branch.kept == 2
    assert chain.kept == 0


def test_a_key_without_rows_has_the_mean_0_and_the_variance_of_the_prior(tmp_path: Path) -> None:
    records, _ = planted(7, 40, 10, COVARIANCE)
    records["facts"]["weight"][:10] = 0
    chain = sampled(chain_of(records, [replace(VIEWER, deviation=0.7)], tmp_path), 2, 3)
    means, variances = scores_of(chain)
    assert means[:10] == pytest.approx(np.tile(chain.intercepts, (10, 1)))
    assert variances[:10] == pytest.approx(np.full((10, K), 0.49), rel=1e-4)
    assert (variances[10:] < 0.49).all()


@pytest.mark.parametrize(("in_files", "learn"), list(product([False, True], [False, True])))
def test_weights_count_rows(in_files: bool, learn: bool, tmp_path: Path) -> None:
    """With weights near 0 nothing is learned of a viewer; variances rise as weights fall."""
    records, _ = planted(8, 30, 20, COVARIANCE)
    light = records.copy()
    light["facts"]["weight"] = 0.05
    heavy, lighter = (
        scores_of(sampled(chain_of(one, [VIEWER], tmp_path / name, in_files=in_files), 3, 10, learn=learn))[1].mean()
        for name, one in (("a", records), ("b", light))
    )
    assert lighter > heavy
