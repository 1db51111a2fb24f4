"""The fit against exact posteriors by quadrature, against its equations in numpy, and against planted effects."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import fitting, keyed_values, numbering
from engage_pipeline.model.effects.design import LocalTerm
from engage_pipeline.model.effects.effects import SLOPE_HOURS, Effect
from engage_pipeline.model.effects.fitting import Fit
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.keyed_values import ROW, InMemory, Memory
from engage_pipeline.model.validation_roles import HOLDOUT_ROW, TRAINING_ROW
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline_tests.model.effects.fits import (
    AUTHOR,
    FOLLOWS,
    HOUR,
    PAIR,
    TREND,
    VIEWER,
    by_position,
    deviations_of,
    fit_of,
    labels_of,
    odds_of,
    records_of,
    scores_of,
    swept,
    weights,
)


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
    fit = swept(fit_of(records, [effect], tmp_path), 200)
    means, variances = scores_of(fit)
    expected, deviations = exact(labels[:, alone], keys, 1.0)
    assert fit.intercepts[alone] == pytest.approx(expected[0], abs=0.2)
    assert means[[0, 3], alone] - fit.intercepts[alone] == pytest.approx(expected[1:], abs=0.12)
    found = np.sqrt(variances[[0, 3], alone])
    assert (found <= deviations[1:] + 0.05).all()
    assert (found > 0.7 * deviations[1:]).all(), "the intercept is taken as known"


def planted(seed: int, viewers: int, rows: int, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Records of `rows` rows for each viewer, whose effects have that covariance; and the effects [viewers, 4]."""
    rng = np.random.default_rng(seed)
    effects = rng.multivariate_normal(np.zeros(K), covariance, viewers)
    viewer = np.repeat(np.arange(viewers), rows)
    labels = rng.random((len(viewer), K)) < 1 / (1 + np.exp(1 - effects[viewer]))
    fields = {"author": rng.integers(1, 8, len(viewer)), "hour": 1 + viewer % 5, "follows": 1 + viewer % 3}
    return records_of(labels, viewer=1 + viewer, **fields), effects


COVARIANCE = np.array([[1.0, 0.6, 0.0, 0.0], [0.6, 1.0, 0.0, 0.0], [0.0, 0.0, 0.25, 0.0], [0.0, 0.0, 0.0, 2.0]])


def keys_by_position(fit: Fit, effect: int) -> np.ndarray:
    """The place of the key of each row by its position, of an effect that shares no cells: int64 [n]."""
    found = np.zeros(len(fit.design), np.int64)
    for block in fit.design.blocks():
        for term in fit.design.terms:
            if effect in ((term.effect,) if isinstance(term, LocalTerm) else term.effects):
                first = term.keys(block)[0] if isinstance(term, LocalTerm) else 0
                found[block.read(fit.design.facts)["position"]] = first + block.codes(term)
    return found


def test_a_settled_fit_solves_its_equations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In numpy, of all rows at once: for each key the residuals of its rows are its mean times the inverse covariance,
    and the inverse of its variance is the prior's plus the information of its rows."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 100)
    records, _ = planted(3, 30, 12, COVARIANCE)
    records["facts"]["weight"] = np.random.default_rng(1).choice([0.0, 0.5, 1.0], len(records))
    records["age"] = np.arange(len(records)) % 300
    fit = swept(fit_of(records, [AUTHOR, VIEWER, TREND], tmp_path), 400)
    odds, (_, variances), labels = odds_of(fit), scores_of(fit), labels_of(fit)
    narrow = 1 / np.sqrt(1 + np.pi / 8 * variances)
    chances = 1 / (1 + np.exp(-narrow * odds))
    weight = records["facts"]["weight"][:, np.newaxis]
    residuals = weight * (labels - chances)
    with np.errstate(divide="ignore"):
        breadth = 1 / (weight * narrow * chances * (1 - chances)) + variances
    for place, effect in enumerate((AUTHOR, VIEWER, TREND)):
        keys, slope = keys_by_position(fit, place), np.ones(len(records))
        if effect is TREND:
            slope = records["age"] / SLOPE_HOURS
        values, prior = fit.keys[place].read().astype(float), np.linalg.inv(fit.covariances[place])
        for key in np.unique(keys):
            own = keys == key
            pull = (slope[own, np.newaxis] * residuals[own]).sum(axis=0)
            assert prior @ values[key, :K] == pytest.approx(pull, abs=2e-3)
            square = slope[own, np.newaxis] ** 2
            information = (square / (breadth[own] - square * values[key, K:])).sum(axis=0)
            expected = np.diag(np.linalg.inv(prior + np.diag(information)))
            assert values[key, K:] == pytest.approx(expected, rel=1e-3)
    assert residuals[:, 2].sum() == pytest.approx(0, abs=1e-2), "of the engagement that depends on no other"


def test_covariances_and_effects_are_found_again(tmp_path: Path) -> None:
    """Of 400 viewers with 30 rows each, from a start at deviations of 0.3."""
    records, effects = planted(1, 400, 30, COVARIANCE)
    fit = swept(fit_of(records, [replace(VIEWER, deviation=0.3)], tmp_path), 40, learn=True)
    assert fit.covariances[0] == pytest.approx(COVARIANCE, abs=0.3)
    means, _ = scores_of(fit)
    for one in range(K):
        assert np.corrcoef(means[::30, one], effects[:, one])[0, 1] > (0.6 if one == 2 else 0.85)


def test_an_effect_that_the_data_don_t_need_vanishes(tmp_path: Path) -> None:
    records, _ = planted(2, 300, 20, COVARIANCE)
    fit = swept(fit_of(records, [VIEWER, AUTHOR, PAIR], tmp_path), 60, learn=True)
    assert (deviations_of(fit)[1:] < 0.45).all(), "from 1"


def test_residuals_follow_the_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a sweep with everything in it: cells, slopes, nested effects, ranges of keys."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 100)
    monkeypatch.setattr(keyed_values, "CHUNK", 3)
    records, _ = planted(3, 50, 12, COVARIANCE)
    records["age"] = np.arange(len(records)) % 300
    fit = swept(fit_of(records, [HOUR, FOLLOWS, AUTHOR, VIEWER, PAIR, TREND], tmp_path), 4, learn=True)
    before, labels = odds_of(fit), labels_of(fit)
    chances = 1 / (1 + np.exp(-before / np.sqrt(1 + np.pi / 8 * scores_of(fit)[1])))
    fit.sweep(learn=True)
    expected = labels - chances - by_position(fit, fit.rows.step) * (odds_of(fit) - before)
    assert by_position(fit, fit.rows.residual) == pytest.approx(expected, abs=1e-3)


def test_scores_between_sweeps_change_nothing(tmp_path: Path) -> None:
    """Though cells are summed for them, whose effects then exchange what they share with the pairs."""
    records, _ = planted(9, 40, 10, COVARIANCE)
    pair = replace(PAIR, parents=("hour", "follows"))
    records["hour"], records["follows"] = records["viewer"] % 4 + 1, records["author"] % 2 + 1
    found = []
    for name, asked in (("a", False), ("b", True)):
        fit = fit_of(records, [HOUR, FOLLOWS, pair], tmp_path / name)
        for _ in range(5):
            fit.sweep(learn=True)
            if asked:
                scores_of(fit)
        found.append(scores_of(fit))
    assert np.array_equal(*found)


def test_files_and_memory_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 100)
    records, _ = planted(4, 40, 10, COVARIANCE)
    found = []
    for name, in_files in (("a", False), ("b", True)):
        fit = swept(fit_of(records, [HOUR, AUTHOR, VIEWER, PAIR], tmp_path / name, in_files=in_files), 6, learn=True)
        found.append(scores_of(fit))
    assert np.array_equal(*found)


@pytest.mark.parametrize("in_files", [False, True])
def test_a_fit_that_has_rested_goes_on_as_if_it_had_not(in_files: bool, tmp_path: Path) -> None:
    records, _ = planted(4, 40, 10, COVARIANCE)
    one, other = (
        swept(fit_of(records, [HOUR, AUTHOR, VIEWER], tmp_path / name, in_files=in_files), 3, learn=True)
        for name in ("a", "b")
    )
    other.rest()
    assert np.array_equal(scores_of(swept(one, 2)), scores_of(swept(other, 2)))


@pytest.mark.parametrize("in_files", [False, True])
def test_others_go_on_from_a_fit_that_is_put_away_as_from_one_that_is_not(in_files: bool, tmp_path: Path) -> None:
    """Put away it has no keys in memory, if any are in files; those that go on from it have those of authors there."""
    records, _ = planted(4, 40, 10, COVARIANCE)
    found = []
    for name, away in (("a", False), ("b", True)):
        fit = swept(fit_of(records, [HOUR, AUTHOR, VIEWER], tmp_path / name, in_files=in_files), 3, learn=True)
        before = scores_of(fit)
        if away:
            fit.put_away()
            assert [isinstance(keys, InMemory) for keys in fit.keys] == [not in_files] * 3
            assert np.array_equal(scores_of(fit), before)
        branch = fit.branch(weights, tmp_path / name / "branch" if in_files else None)
        assert [isinstance(keys, InMemory) for keys in branch.keys] == [True, True, not in_files]
        found.append(scores_of(swept(branch, 2)))
    assert np.array_equal(*found)


def test_what_memory_held_before_does_not_matter(tmp_path: Path) -> None:
    """Rows without a key of a shared effect are not moved by it; what pairs say of authors begins with nothing."""
    records, _ = planted(4, 40, 10, COVARIANCE)
    records["author"][::3] = NO_FINGERPRINT
    one, other = (fit_of(records, [HOUR, AUTHOR, VIEWER, PAIR], tmp_path / name) for name in ("a", "b"))
    memories = [Memory() for _ in range(5)]
    for memory in memories:
        memory.take(len(records) * 100, ROW)[:] = np.nan
    other._spare.leave(memories)
    assert np.array_equal(scores_of(swept(one, 2)), scores_of(swept(other, 2)))


@pytest.mark.parametrize("in_files", [False, True])
def test_a_fit_takes_the_memory_that_one_before_has_left_and_no_other(in_files: bool, tmp_path: Path) -> None:
    """So what it finds is what it finds with memory of its own, and that of a fit that goes on stays as it is."""
    records, _ = planted(4, 40, 10, COVARIANCE)
    fit = swept(fit_of(records, [HOUR, AUTHOR, VIEWER, PAIR], tmp_path, in_files=in_files), 2)
    folders = [tmp_path / name if in_files else None for name in ("beside", "after")]
    said = by_position(fit, fit.rows.residual).copy()
    beside = swept(fit.branch(weights, folders[0]), 2)
    assert np.array_equal(by_position(fit, fit.rows.residual), said)
    left = {id(memory) for memory in fit._memories}
    assert len(left) == 5
    assert left.isdisjoint(map(id, beside._memories))
    fit.rest()
    after = swept(fit.branch(weights, folders[1]), 2)
    again = swept(fit, 1)
    assert {id(memory) for memory in after._memories} == left
    assert left.isdisjoint(map(id, again._memories))
    assert np.array_equal(scores_of(after), scores_of(beside))


@pytest.mark.parametrize("in_files", [False, True])
def test_any_number_of_threads_finds_the_same(in_files: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit, since sums are made in the order of the blocks; a branch too."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 100)
    monkeypatch.setattr(fitting, "_FEW_KEYS", 0)  # sums of float32 tell another order soonest
    monkeypatch.setattr(keyed_values, "CHUNK", 3)
    records, _ = planted(4, 60, 10, COVARIANCE)
    found = []
    for threads in (1, 2, 7):
        folder = tmp_path / str(threads)
        effects = [HOUR, AUTHOR, VIEWER, PAIR]
        fit = swept(fit_of(records, effects, folder, in_files=in_files, threads=threads), 6, learn=True)
        branch = swept(fit.branch(weights, folder / "branch" if in_files else None, threads), 3)
        assert branch.threads == threads
        assert len(list(fit.design.blocks())) > 3
        found.append(np.stack([*scores_of(fit), *scores_of(branch), by_position(branch, branch.rows.residual)]))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_rows_of_no_weight_teach_nothing(tmp_path: Path) -> None:
    records, _ = planted(5, 40, 10, COVARIANCE)
    other = records.copy()
    records["facts"]["weight"][::3] = other["facts"]["weight"][::3] = 0
    other["facts"]["labels"][::3] ^= 15
    found = [
        scores_of(swept(fit_of(one, [VIEWER, AUTHOR], tmp_path / name), 6, learn=True))
        for name, one in (("a", records), ("b", other))
    ]
    assert np.array_equal(*found)


def test_rows_behind_the_last_one_with_a_weight_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is fitted to the others is the same to the last digit as if all were asked."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 50)
    records, _ = planted(9, 40, 10, COVARIANCE)
    held = records["facts"]["position"] % 4 == 0
    records["facts"]["fold"], records["facts"]["weight"] = np.where(held, HOLDOUT_ROW, TRAINING_ROW), ~held
    fit, every = (fit_of(records, [VIEWER, AUTHOR, PAIR, HOUR], tmp_path / name) for name in ("fit", "every"))
    asked = sum(block.stop - block.start for block in fit.design.blocks(fit.rows.stops))
    assert asked == np.count_nonzero(~held)
    every.rows.stops[:] = every.design.starts[1:]
    assert np.array_equal(scores_of(swept(fit, 6, learn=True)), scores_of(swept(every, 6, learn=True)))


def test_a_branch_in_files_finds_what_one_in_memory_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own branch too; neither has copied the keys of viewers, which each wrote first when it swept first."""
    monkeypatch.setattr(numbering, "BLOCK_ROWS", 50)
    records, _ = planted(4, 40, 10, COVARIANCE)
    found = []
    for name in ("memory", "files"):
        folders = [tmp_path / name / one if name == "files" else None for one in ("first", "second")]
        fit = swept(fit_of(records, [HOUR, AUTHOR, VIEWER, PAIR], tmp_path / name, in_files=name == "files"), 3)
        for folder in folders:
            fit = fit.branch(lambda facts: facts["weight"] * (facts["position"] % 3), folder)
            found.append(np.stack([*scores_of(fit), *scores_of(swept(fit, 2, learn=True))]))
        found.append(np.concatenate([keys.read() for keys in fit.keys]))
    for one, other in zip(found[:3], found[3:], strict=True):
        assert np.array_equal(one, other)


def test_a_branch_goes_its_own_way_and_leaves_the_fit_as_it_was(tmp_path: Path) -> None:
    records, _ = planted(6, 40, 10, COVARIANCE)
    fit = swept(fit_of(records, [VIEWER, AUTHOR], tmp_path, in_files=True), 4, learn=True)
    before, covariances = odds_of(fit), fit.covariances.copy()
    branch = fit.branch(lambda facts: facts["weight"] * (facts["position"] % 2), tmp_path / "branch")
    assert np.array_equal(odds_of(branch), before)
    swept(branch, 4, learn=True)
    assert np.array_equal(odds_of(fit), before)
    assert np.array_equal(fit.covariances, covariances)
    assert not np.allclose(odds_of(branch), before, atol=0.1)
    assert not np.allclose(branch.covariances, covariances, atol=1e-3)
    assert branch.swept == 8


def test_a_key_without_rows_has_the_mean_0_and_the_variance_of_the_prior(tmp_path: Path) -> None:
    records, _ = planted(7, 40, 10, COVARIANCE)
    records["facts"]["weight"][:10] = 0
    fit = swept(fit_of(records, [replace(VIEWER, deviation=0.7)], tmp_path), 5)
    means, variances = scores_of(fit)
    assert means[:10] == pytest.approx(np.tile(fit.intercepts, (10, 1)))
    assert variances[:10] == pytest.approx(np.full((10, K), 0.49), rel=1e-4)
    assert (variances[10:] < 0.49).all()


def test_weights_count_rows(tmp_path: Path) -> None:
    """With weights near 0 little is learned of a viewer; variances rise as weights fall."""
    records, _ = planted(8, 30, 20, COVARIANCE)
    light = records.copy()
    light["facts"]["weight"] = 0.05
    heavy, lighter = (
        scores_of(swept(fit_of(one, [VIEWER], tmp_path / name), 10))[1].mean()
        for name, one in (("a", records), ("b", light))
    )
    assert 0.75 < lighter < 1
    assert heavy < 0.5
