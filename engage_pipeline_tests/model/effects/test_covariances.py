"""Draws of covariances and scales against what they are drawn from."""

import numpy as np
import pytest

from engage_pipeline.model.effects.covariances import FREEDOM, PRIOR_VARIANCE, draw_covariance, draw_scale, unscaled
from engage_pipeline.model.effects.kernels import K

COVARIANCE = np.array([[1.0, 0.4, 0.1, 0.0], [0.4, 0.8, 0.0, 0.1], [0.1, 0.0, 0.5, 0.0], [0.0, 0.1, 0.0, 1.2]])


def test_many_keys_tell_the_covariance() -> None:
    values = np.random.default_rng(1).multivariate_normal(np.zeros(K), COVARIANCE, 20_000)
    found = draw_covariance(values.T @ values, len(values), np.random.default_rng(2))
    assert found == pytest.approx(COVARIANCE, abs=0.05)


def test_the_mean_of_draws_is_that_of_the_inverse_wishart() -> None:
    """scale / (degrees of freedom - K - 1), with the prior's added to those of 30 keys."""
    values = np.random.default_rng(3).multivariate_normal(np.zeros(K), COVARIANCE, 30)
    rng, products = np.random.default_rng(4), values.T @ values
    mean = np.mean([draw_covariance(products, 30, rng) for _ in range(4000)], axis=0)
    expected = (products + FREEDOM * PRIOR_VARIANCE * np.eye(K)) / (FREEDOM + 30 - K - 1)
    assert mean == pytest.approx(expected, abs=0.03)


def test_a_scale_is_a_regression_of_the_rows_on_the_values() -> None:
    """Rows whose engagement e has twice the value of engagement f as log-odds, and much to say."""
    rng = np.random.default_rng(5)
    values, truth = rng.normal(size=(500, K)), np.array(rng.normal(size=(K, K)))
    precision = 40 + rng.random((500, K))
    moments = np.zeros((2 + K, K, K))
    for one in range(K):
        moments[1 + one] = (values * precision[:, [one]]).T @ values
        moments[1 + K, one] = (precision[:, one] * (values @ truth[one])) @ values
    assert draw_scale(moments, np.random.default_rng(6)) == pytest.approx(truth, abs=0.05)


def test_without_rows_a_scale_is_drawn_from_its_prior() -> None:
    rng = np.random.default_rng(7)
    drawn = np.array([draw_scale(np.zeros((2 + K, K, K)), rng) for _ in range(3000)])
    assert drawn.mean(0) == pytest.approx(np.eye(K), abs=0.1)
    assert drawn.std(0) == pytest.approx(np.ones((K, K)), abs=0.1)


def test_moments_are_those_of_the_values_before_the_scale() -> None:
    rng = np.random.default_rng(8)
    before, scale, precision, pull = rng.normal(size=(50, K)), rng.normal(size=(K, K)), rng.random((50, K)), 3.0

    def moments(values: np.ndarray) -> np.ndarray:
        curved = [(values * precision[:, [one]]).T @ values for one in range(K)]
        return np.stack([values.T @ values, *curved, (pull * precision).T @ values])

    assert unscaled(moments(before @ scale.T), scale) == pytest.approx(moments(before))


@pytest.mark.parametrize("said", [0.0, 0.01])
def test_the_covariance_of_an_effect_of_which_rows_say_little_does_not_grow(said: float) -> None:
    """500 keys, each of a row that says 0 with a precision of `said`."""
    rng, scale, covariance, found = np.random.default_rng(9), np.eye(K), 0.04 * np.eye(K), []
    for _ in range(100):
        posterior = np.linalg.inv(np.linalg.inv(covariance) + said * np.eye(K))
        values = rng.multivariate_normal(np.zeros(K), posterior, 500)
        products = values.T @ values
        moments = np.stack([products, *[said * products] * K, np.zeros((K, K))])
        moments = unscaled(moments, scale)
        drawn, scale = draw_covariance(moments[0], 500, rng), draw_scale(moments, rng)
        covariance = scale @ drawn @ scale.T
        found.append(np.sqrt(np.diag(covariance)).mean())
    assert np.median(found[20:]) < 0.8
