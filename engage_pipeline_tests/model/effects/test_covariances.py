"""Covariances that are learned, against those that values were made with."""

import numpy as np
import pytest

from engage_pipeline.model.effects.covariances import FARTHEST, FREEDOM, PRIOR_VARIANCE, learned
from engage_pipeline.model.effects.kernels import K

COVARIANCE = np.array([[1.0, 0.4, 0.1, 0.0], [0.4, 0.8, 0.0, 0.1], [0.1, 0.0, 0.5, 0.0], [0.0, 0.1, 0.0, 1.2]])


def settled(start: np.ndarray, precision: np.ndarray, measured: np.ndarray, rounds: int = 80) -> np.ndarray:
    """The covariance after so many updates, for keys of which `measured` [n, 4] is known with `precision` [4]."""
    found = start
    for _ in range(rounds):
        inverse = np.linalg.inv(np.linalg.inv(found) + np.diag(precision))
        means = measured * precision @ inverse
        found = learned(found, np.stack([means.T @ means, len(means) * inverse]), len(means))
    return found


@pytest.mark.parametrize("start", [0.05, 4.0])
def test_it_is_found_again_whatever_it_began_with(start: float) -> None:
    """Of keys of which rows tell much of some engagements, and little of others: likeliest is the covariance of what is
    measured less that of the noise."""
    rng, precision = np.random.default_rng(1), np.array([20.0, 5.0, 1.0, 2.0])
    values = rng.multivariate_normal(np.zeros(K), COVARIANCE, 40_000)
    measured = values + rng.normal(size=values.shape) / np.sqrt(precision)
    expected = measured.T @ measured / len(measured) - np.diag(1 / precision)
    assert settled(start * np.eye(K), precision, measured) == pytest.approx(expected, abs=0.01)
    assert expected == pytest.approx(COVARIANCE, abs=0.05)


def test_an_effect_that_says_nothing_vanishes() -> None:
    """Of 5,000 keys that are measured to be 0, with noise."""
    noise = np.random.default_rng(2).normal(size=(5_000, K)) / 2
    found = settled(0.3 * np.eye(K), np.full(K, 4.0), noise, rounds=200)
    assert (np.diag(found) < 0.02).all()
    assert (np.linalg.eigvalsh(found) > 0).all()


def test_of_keys_without_rows_nothing_is_learned_but_the_prior() -> None:
    """By hand: means of 0 and variances of the prior leave FREEDOM keys of PRIOR_VARIANCE."""
    found = np.eye(K)
    for _ in range(200):
        found = learned(found, np.stack([np.zeros((K, K)), 30 * found]), 30)
    assert found == pytest.approx(PRIOR_VARIANCE * np.eye(K), rel=0.01)


def test_an_update_goes_so_far_and_no_farther() -> None:
    many = np.stack([1e6 * np.eye(K), np.zeros((K, K))])
    assert learned(COVARIANCE, many, 10) == pytest.approx(FARTHEST * COVARIANCE, rel=1e-6)
    none = np.stack([np.zeros((K, K)), np.zeros((K, K))])
    assert learned(COVARIANCE, none, 1000 * FREEDOM) == pytest.approx(COVARIANCE / FARTHEST, rel=1e-6)
