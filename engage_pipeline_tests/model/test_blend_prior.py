"""The prior of the blend where it is not symmetric, and the objective behind it, term by term."""

import warnings
from itertools import product

import numpy as np
import pytest
from scipy.optimize import check_grad  # noqa: TID253 - it judges what is tested

from engage_pipeline.model.blend import EQUAL, MOSTLY_TREES, Weights, choose_weights
from engage_pipeline.numerics.logistic import _negative_log_posterior, gaussian_precision


def slow_objective(weights: np.ndarray, rows: np.ndarray, labels: np.ndarray, prior: Weights) -> float:
    """Log losses in nats, and the prior: of the shift at the mean logit, of the sum and of the share of the weights."""
    intercept, network, trees = weights
    logits = intercept + network * rows[:, 0] + trees * rows[:, 1]
    total = -np.log(np.where(labels, 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits)))).sum()
    dn, dt = network - prior.network, trees - prior.trees
    total += ((intercept + rows.mean() * (dn + dt)) / 0.1) ** 2 / 2
    total += ((dn + dt) / 0.1) ** 2 / 2
    share = prior.trees * dn - prior.network * dt  # nothing where both weights grow alike
    total += (share / (2 * 0.25 * min(prior.network, prior.trees))) ** 2 / 2
    return float(total)


@pytest.mark.parametrize("prior", [EQUAL, MOSTLY_TREES, Weights(0.0, 0.7, 0.3)])
def test_no_step_from_the_chosen_weights_is_better(prior: Weights) -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(-1, 1.5, 80)
    labels = rng.random(80) < 1 / (1 + np.exp(-truth))
    rows = np.column_stack([truth + rng.normal(0, 0.3, 80), truth + rng.normal(0, 2, 80)])
    found = choose_weights(rows[:, 0], rows[:, 1], labels, prior)
    chosen = np.array([found.intercept, found.network, found.trees])
    best = slow_objective(chosen, rows, labels, prior)
    for size in (0.003, 0.03):
        for step in product((-size, 0, size), repeat=3):
            if (chosen[1:] + step[1:] >= 0).all():
                assert slow_objective(chosen + step, rows, labels, prior) >= best - 1e-9


def test_without_rows_the_prior_stays_and_nothing_is_computed_of_none() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_weights(np.zeros(0), np.zeros(0), np.zeros(0, np.bool_), MOSTLY_TREES) == MOSTLY_TREES


def test_the_gradient_is_that_of_the_value() -> None:
    rng = np.random.default_rng(4)
    inputs, labels = rng.normal(size=(50, 3)), rng.random(50) < 0.4
    precision = gaussian_precision(rng.normal(size=(3, 3)), (0.1, 0.2, 0.5))
    arguments = inputs, labels, np.array([0.1, 0.5, 0.5]), precision
    for weights in rng.normal(size=(5, 3)):
        error = check_grad(
            lambda at: _negative_log_posterior(at, *arguments)[0],
            lambda at: _negative_log_posterior(at, *arguments)[1],
            weights,
        )
        assert error < 1e-4 * np.linalg.norm(_negative_log_posterior(weights, *arguments)[1])
