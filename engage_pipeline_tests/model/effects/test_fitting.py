"""The fit against a dense optimiser of the same posterior, and against a plain fit of whole arrays."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects import fitting, sums, values
from engage_pipeline.model.effects.values import Fit
from engage_pipeline_tests.model.effects.designs import Made, Planted, made, planted

DEVIATIONS = (0.8, 0.4, 1.5)


def dense_mode(world: Planted, weights: np.ndarray) -> np.ndarray:
    """Intercept and effects, flat, that minimise the negative log posterior, by an optimiser that knows no effects."""
    from scipy.optimize import minimize

    columns = [np.ones((len(world.labels), 1))]
    for codes, size in zip(world.codes, world.sizes, strict=True):
        columns.append(np.eye(size + 1)[codes][:, 1:])
    matrix = np.hstack(columns)
    precision = np.concatenate(
        [[0.0], *(np.full(size, d**-2) for size, d in zip(world.sizes, DEVIATIONS, strict=True))]
    )
    signs = np.where(world.labels, -1.0, 1.0)

    def loss(flat: np.ndarray) -> float:
        return float(weights @ np.logaddexp(0, signs * (matrix @ flat)) + precision @ flat**2 / 2)

    return np.asarray(minimize(loss, np.zeros(matrix.shape[1]), method="BFGS", options={"gtol": 1e-6}).x)


def plain_fit(world: Planted, labels: np.ndarray, deviations: np.ndarray, sweeps: int, weights: np.ndarray) -> list:
    """Intercept and effects of one problem, fitted with arrays of all rows, one effect after the other."""
    positives = weights @ labels
    intercept = np.log(positives + 0.5) - np.log(weights.sum() - positives + 0.5)
    effects = [np.zeros(size + 1) for size in world.sizes]
    odds = np.full(len(labels), intercept)
    for _ in range(sweeps):
        chance = 1 / (1 + np.exp(-odds))
        rest, curve = weights * (labels - chance), weights * chance * (1 - chance)
        shift = np.clip(rest.sum() / curve.sum(), -2, 2)
        intercept, odds, rest = intercept + shift, odds + shift, rest - shift * curve
        for own, codes, deviation in zip(effects, world.codes, deviations, strict=True):
            gradient, curvature = (np.bincount(codes, one, len(own)) for one in (rest, curve))
            step = np.clip((gradient - own / deviation**2) / (curvature + deviation**-2), -2, 2)
            step[0] = 0
            own[:] += step
            odds, rest = odds + step[codes], rest - step[codes] * curve
    return [np.array([intercept]), *effects]


def flat(world: Made, fit: Fit, problem: int = 0) -> np.ndarray:
    found = world.values(fit, problem)
    assert all(one[0] == 0 for one in found)
    return np.concatenate([[fit.intercept[problem]], *(one[1:] for one in found)])


@pytest.mark.parametrize("weighted", [False, True])
def test_reaches_the_mode_of_the_posterior(weighted: bool, tmp_path: Path) -> None:
    world = planted(1, 400, (6, 9, 4), DEVIATIONS)
    weights = np.random.default_rng(2).choice([0.0, 0.5, 1.0], 400) if weighted else np.ones(400)
    own = made(tmp_path, world.codes)
    fit = own.fit(world.labels, DEVIATIONS, sweeps=200, weights=weights if weighted else None)
    assert np.abs(flat(own, fit) - dense_mode(world, weights)).max() < 1e-3


@pytest.mark.parametrize("few_codes", [0, 1 << 16])
@pytest.mark.parametrize("block_rows", [1, 100, 1 << 20])
@pytest.mark.parametrize(
    "fields",
    [
        ("viewer", "author", "hour"),
        ("author", "tweet", "viewer"),
        ("hour", "language", "media"),
        ("hour", "viewer", "media"),
        ("tweet", "hour", "media"),
    ],
)
def test_blocks_passes_and_cells_give_the_sums_of_whole_arrays(
    fields: tuple[str, ...], block_rows: int, few_codes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Effects of viewers, shared ones and cells in every order; several problems at once."""
    monkeypatch.setattr("engage_pipeline.model.effects.numbering.BLOCK_ROWS", block_rows)
    monkeypatch.setattr(sums, "_FEW_CODES", few_codes)
    monkeypatch.setattr(fitting, "CHUNK", 7)
    world = planted(8, 1500, (90, 40, 8), DEVIATIONS)
    rng = np.random.default_rng(9)
    labels = np.column_stack([world.labels, rng.random(1500) < 0.1, world.labels & (rng.random(1500) < 0.5)])
    weights = rng.choice([0.0, 0.3, 1.0], (1500, 3))
    deviations = np.array(DEVIATIONS)[:, np.newaxis] * [1.0, 0.5, 2.0]
    own = made(tmp_path, world.codes, fields)
    fit = own.fit(labels, deviations, sweeps=4, weights=weights)
    for problem in range(3):
        plain = plain_fit(world, labels[:, problem], deviations[:, problem], 4, weights[:, problem])
        assert fit.intercept[problem] == pytest.approx(plain[0][0], rel=1e-9)
        for found, expected in zip(own.values(fit, problem), plain[1:], strict=True):
            np.testing.assert_allclose(found, expected[: len(found)], rtol=1e-9, atol=1e-12)


def test_problems_do_not_touch_each_other(tmp_path: Path) -> None:
    world = planted(10, 800, (30, 40, 8), DEVIATIONS)
    own = made(tmp_path, world.codes)
    both = own.fit(np.column_stack([world.labels, ~world.labels]), np.column_stack([DEVIATIONS] * 2), sweeps=3)
    for problem, labels in enumerate((world.labels, ~world.labels)):
        alone = own.fit(labels, DEVIATIONS, sweeps=3)
        np.testing.assert_allclose(flat(own, both, problem), flat(own, alone), rtol=1e-9, atol=1e-12)


def test_few_sweeps_come_close_and_fewer_from_a_near_start(tmp_path: Path) -> None:
    world = planted(3, 20_000, (400, 900, 50), DEVIATIONS)
    own = made(tmp_path, world.codes)
    mode = own.log_odds(own.fit(world.labels, DEVIATIONS, sweeps=100))
    fit = own.fit(world.labels, DEVIATIONS, sweeps=8)
    far = np.abs(own.log_odds(fit) - mode).mean()
    near = np.abs(own.log_odds(own.fit(world.labels, DEVIATIONS, sweeps=2, start=fit)) - mode).mean()
    assert near < far < 0.02


def test_a_row_of_weight_0_is_not_seen(tmp_path: Path) -> None:
    world = planted(4, 2000, (50, 80, 10), DEVIATIONS)
    own, kept = made(tmp_path, world.codes), np.arange(2000) < 1500
    turned = np.where(kept, world.labels, ~world.labels)
    fits = [own.fit(labels, DEVIATIONS, sweeps=5, weights=kept.astype(float)) for labels in (world.labels, turned)]
    assert (flat(own, fits[0]) == flat(own, fits[1])).all()


def test_a_copy_of_a_fit_is_moved_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "CHUNK", 7)
    world = planted(5, 500, (10, 10, 5), DEVIATIONS)
    own = made(tmp_path, world.codes)
    first = own.fit(world.labels, DEVIATIONS, sweeps=3)
    before = flat(own, first)
    both = first.take([0, 0], tmp_path / "copy")
    assert (flat(own, both, 1) == before).all()
    own.fit(np.column_stack([~world.labels, world.labels]), np.column_stack([DEVIATIONS] * 2), sweeps=3, start=both)
    assert (flat(own, first) == before).all()
    assert (flat(own, both, 0) != before).any()


@pytest.mark.parametrize("label", [False, True])
def test_labels_of_one_kind_give_finite_effects(label: bool, tmp_path: Path) -> None:
    world = planted(6, 300, (10, 10, 5), DEVIATIONS)
    own = made(tmp_path, world.codes)
    odds = own.log_odds(own.fit(np.full(300, label), DEVIATIONS, sweeps=20))
    assert np.isfinite(odds).all()
    assert ((odds > 3) if label else (odds < -3)).all()


@pytest.mark.parametrize("field", ["viewer", "author"])
def test_no_step_is_longer_than_two_in_log_odds(field: str, tmp_path: Path) -> None:
    """Rows that are all but certain the other way have hardly any curvature: Newton's step would be thousands."""
    own = made(tmp_path, [np.array([1, 1, 2, 0])], [field])
    for label, sign in ((True, 1.0), (False, -1.0)):
        begin = own.start(-30.0 * sign, [[0.0, 0.0, 0.0]])
        fit = own.fit(np.full(4, label), [100.0], sweeps=1, start=begin)
        assert fit.intercept[0] == -30.0 * sign + 2.0 * sign
        assert own.values(fit)[0].tolist() == [0.0, 2.0 * sign, 2.0 * sign]


def test_certain_rows_do_not_overflow(tmp_path: Path) -> None:
    own = made(tmp_path, [np.array([1, 1, 2, 0])], ["viewer"])
    fit = own.fit(np.zeros(4, bool), [1.0], sweeps=1, start=own.start(-2000.0, [[0.0, 0.0, 0.0]]))
    assert fit.intercept[0] == -2000.0


def test_effects_predict_new_rows_better_than_the_rate(tmp_path: Path) -> None:
    world = planted(7, 40_000, (800, 400, 50), DEVIATIONS)
    own, new = made(tmp_path, world.codes), np.arange(40_000) >= 30_000
    fit = own.fit(world.labels, DEVIATIONS, sweeps=8, weights=(~new).astype(float))
    losses = np.logaddexp(0, np.where(world.labels[new], -1, 1) * own.log_odds(fit)[new, 0])
    best = np.logaddexp(0, np.where(world.labels[new], -1, 1) * world.log_odds[new])
    rate = world.labels[~new].mean()
    constant = -np.where(world.labels[new], np.log(rate), np.log1p(-rate))
    assert losses.mean() < constant.mean() - 0.8 * (constant.mean() - best.mean())
