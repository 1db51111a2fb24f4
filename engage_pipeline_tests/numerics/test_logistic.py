"""Logistic regression under a Gaussian prior, against the objective written term by term."""

from itertools import product

import numpy as np
from scipy.optimize import check_grad  # noqa: TID253 - it judges what is tested

from engage_pipeline.numerics.logistic import _negative_log_posterior, fit_logistic, gaussian_precision


def slow_objective(weights: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> float:
    """Log losses in nats, and a prior: of the shift at the mean logit, of the sum and of the share of the slopes."""
    intercept, first, second = weights
    logits = intercept + first * rows[:, 0] + second * rows[:, 1]
    total = -np.log(np.where(labels, 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits)))).sum()
    one, other = first - 0.3, second - 0.7
    total += ((intercept + rows.mean() * (one + other)) / 0.1) ** 2 / 2
    total += ((one + other) / 0.2) ** 2 / 2
    total += ((0.7 * one - 0.3 * other) / 0.5) ** 2 / 2
    return float(total)


def test_no_step_from_the_weights_is_better() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(-1, 1.5, 80)
    labels = rng.random(80) < 1 / (1 + np.exp(-truth))
    rows = np.column_stack([truth + rng.normal(0, 0.3, 80), truth + rng.normal(0, 2, 80)])
    directions = np.array([[1.0, rows.mean(), rows.mean()], [0.0, 1.0, 1.0], [0.0, 0.7, -0.3]])
    found = fit_logistic(
        np.column_stack([np.ones(80), rows]),
        labels,
        mean=(0.0, 0.3, 0.7),
        precision=gaussian_precision(directions, (0.1, 0.2, 0.5)),
        least=(None, 0.0, 0.0),
    )
    best = slow_objective(found, rows, labels)
    for size in (0.003, 0.03):
        for step in product((-size, 0, size), repeat=3):
            if (found[1:] + step[1:] >= 0).all():
                assert slow_objective(found + step, rows, labels) >= best - 1e-9


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
