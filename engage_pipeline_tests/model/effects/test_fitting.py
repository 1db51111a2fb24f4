"""The fit against a dense optimiser of the same posterior."""

import numpy as np
import pytest

from engage_pipeline.model.effects.fitting import Fit, fit_effects
from engage_pipeline_tests.model.effects.designs import Planted, planted

DEVIATIONS = (0.8, 0.4, 1.5)


def dense_mode(world: Planted, weights: np.ndarray) -> np.ndarray:
    """Intercept and effects, flat, that minimise the negative log posterior, by an optimiser that knows no effects."""
    from scipy.optimize import minimize

    columns = [np.ones((len(world.design), 1))]
    for codes, size in zip(world.design.codes, world.design.sizes, strict=True):
        columns.append(np.eye(size)[codes][:, 1:])
    matrix = np.hstack(columns)
    precision = np.concatenate(
        [[0.0], *(np.full(size - 1, d**-2) for size, d in zip(world.design.sizes, DEVIATIONS, strict=True))]
    )
    signs = np.where(world.labels, -1.0, 1.0)

    def loss(flat: np.ndarray) -> float:
        return float(weights @ np.logaddexp(0, signs * (matrix @ flat)) + precision @ flat**2 / 2)

    return np.asarray(minimize(loss, np.zeros(matrix.shape[1]), method="BFGS", options={"gtol": 1e-6}).x)


def flat(fit: Fit) -> np.ndarray:
    assert all(values[0] == 0 for values in fit.effects)
    return np.concatenate([[fit.intercept], *(values[1:] for values in fit.effects)])


@pytest.mark.parametrize("weighted", [False, True])
def test_reaches_the_mode_of_the_posterior(weighted: bool) -> None:
    world = planted(1, 400, (6, 9, 4), DEVIATIONS)
    weights = np.random.default_rng(2).choice([0.0, 0.5, 1.0], 400) if weighted else np.ones(400)
    fit = fit_effects(world.labels, world.design, DEVIATIONS, sweeps=200, weights=weights if weighted else None)
    assert np.abs(flat(fit) - dense_mode(world, weights)).max() < 1e-3


def test_few_sweeps_come_close_and_fewer_from_a_near_start() -> None:
    world = planted(3, 20_000, (400, 900, 50), DEVIATIONS)
    mode = fit_effects(world.labels, world.design, DEVIATIONS, sweeps=100).log_odds(world.design)
    eight = fit_effects(world.labels, world.design, DEVIATIONS, sweeps=8)
    ten = fit_effects(world.labels, world.design, DEVIATIONS, sweeps=2, start=eight)
    far, near = (np.abs(fit.log_odds(world.design) - mode).mean() for fit in (eight, ten))
    assert near < far < 0.02


def test_a_row_of_weight_0_is_not_seen() -> None:
    world = planted(4, 2000, (50, 80, 10), DEVIATIONS)
    kept = np.arange(2000) < 1500
    turned = np.where(kept, world.labels, ~world.labels)
    fits = [
        fit_effects(labels, world.design, DEVIATIONS, sweeps=5, weights=kept.astype(float))
        for labels in (world.labels, turned)
    ]
    assert (flat(fits[0]) == flat(fits[1])).all()


def test_the_start_is_left_as_it_was() -> None:
    world = planted(5, 500, (10, 10, 5), DEVIATIONS)
    start = fit_effects(world.labels, world.design, DEVIATIONS, sweeps=3)
    before = flat(start)
    fit_effects(~world.labels, world.design, DEVIATIONS, sweeps=3, start=start)
    assert (flat(start) == before).all()


@pytest.mark.parametrize("label", [False, True])
def test_labels_of_one_kind_give_finite_effects(label: bool) -> None:
    world = planted(6, 300, (10, 10, 5), DEVIATIONS)
    fit = fit_effects(np.full(300, label), world.design, DEVIATIONS, sweeps=20)
    odds = fit.log_odds(world.design)
    assert np.isfinite(odds).all()
    assert ((odds > 3) if label else (odds < -3)).all()


def test_effects_predict_new_rows_better_than_the_rate() -> None:
    world = planted(7, 40_000, (800, 400, 50), DEVIATIONS)
    new = np.arange(40_000) >= 30_000
    fit = fit_effects(world.labels, world.design, DEVIATIONS, sweeps=8, weights=(~new).astype(float))
    rows = np.flatnonzero(new)
    losses = np.logaddexp(0, np.where(world.labels[rows], -1, 1) * fit.log_odds(world.design, rows))
    best = np.logaddexp(0, np.where(world.labels[rows], -1, 1) * world.log_odds[rows])
    rate = world.labels[~new].mean()
    constant = -np.where(world.labels[rows], np.log(rate), np.log1p(-rate))
    assert losses.mean() < constant.mean() - 0.8 * (constant.mean() - best.mean())
