"""Log-odds that are integrated over what is not known, and summed over what else happens in the row."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engage_pipeline.model.effects.marginals import RAREST_FIRST, integrated_logits, marginal_logits
from engage_pipeline.numerics.logistic import sigmoid
from engage_pipeline.schema import TARGETS

LOG_ODDS = st.floats(-6, 6)


@pytest.mark.parametrize("deviation", [0.1, 1.0, 2.5])
def test_the_chance_is_the_mean_over_a_normal_distribution(deviation: float) -> None:
    """By a fine grid over 10 standard deviations to each side."""
    means = np.array([[-9.0, -4.0, -0.5, 0.0], [0.5, 2.0, 4.0, 9.0]])
    grid = np.linspace(-10, 10, 20_001)
    density = np.exp(-(grid**2) / 2) / np.exp(-(grid**2) / 2).sum()
    chance = (density / (1 + np.exp(-(means[:, :, np.newaxis] + deviation * grid)))).sum(axis=2)
    found = integrated_logits(means, np.full(means.shape, deviation**2))
    assert found == pytest.approx(np.log(chance) - np.log1p(-chance), abs=0.03)


def test_where_all_is_known_the_log_odds_stay_however_large() -> None:
    means = np.array([[-600.0, -40.0, 1e-9, 0.0], [600.0, 40.0, 3.0, -3.0]])
    assert integrated_logits(means, np.zeros((2, 4))) == pytest.approx(means, rel=1e-9, abs=1e-9)


def test_log_odds_stay_finite_where_no_double_has_the_probability() -> None:
    found = integrated_logits(np.array([[-2000.0, 2000.0]]), np.ones((1, 2)))
    assert found[0] == pytest.approx(np.log([1e-300, 1e300]))


def test_both_signs_are_alike() -> None:
    rng = np.random.default_rng(1)
    means, variances = rng.normal(0, 20, (50, 4)), rng.random((50, 4)) * 4
    assert np.array_equal(integrated_logits(-means, variances), -integrated_logits(means, variances))


def probability(logits: np.ndarray, coupling: np.ndarray, labels: tuple[int, ...]) -> float:
    """Of four labels in the order of TARGETS, by the product of four conditional probabilities."""
    found = 1.0
    for place, one in enumerate(RAREST_FIRST):
        chance = 1 / (1 + np.exp(-(logits[one] + sum(coupling[one, y] * labels[y] for y in RAREST_FIRST[:place]))))
        found *= chance if labels[one] else 1 - chance
    return found


@given(arrays(np.float64, (3, 4), elements=LOG_ODDS), arrays(np.float64, (4, 4), elements=LOG_ODDS))
def test_an_engagement_is_summed_over_the_others(logits: np.ndarray, coupling: np.ndarray) -> None:
    found = sigmoid(marginal_logits(logits, np.zeros((3, 4)), coupling))
    for row, own in enumerate(logits):
        chances = {labels: probability(own, coupling, labels) for labels in product((0, 1), repeat=4)}
        assert sum(chances.values()) == pytest.approx(1)
        for one in range(4):
            assert found[row, one] == pytest.approx(sum(p for labels, p in chances.items() if labels[one]), rel=1e-6)


def test_what_is_not_known_is_integrated_for_each_state_of_the_others() -> None:
    """Against a million draws of independent log-odds."""
    rng = np.random.default_rng(1)
    means, variances = np.array([[-0.4, -2.0, -4.0, -3.0]]), np.array([[1.5, 2.0, 1.0, 3.0]])
    coupling = rng.normal(0, 2, (4, 4))
    draws = rng.normal(means, np.sqrt(variances), (1_000_000, 4))
    expected = sigmoid(marginal_logits(draws, np.zeros_like(draws), coupling)).mean(axis=0)
    assert sigmoid(marginal_logits(means, variances, coupling))[0] == pytest.approx(expected, rel=0.01)


def test_without_a_coupling_engagements_are_independent() -> None:
    rng = np.random.default_rng(2)
    means, variances = rng.normal(0, 3, (50, 4)), rng.random((50, 4)) * 4
    assert marginal_logits(means, variances, np.zeros((4, 4))) == pytest.approx(integrated_logits(means, variances))


def test_the_rarest_engagement_depends_on_none_and_the_most_frequent_on_all() -> None:
    assert [TARGETS[place] for place in RAREST_FIRST] == ["retweet_with_comment", "reply", "retweet", "like"]
    moved = []
    for one in range(4):
        coupling = np.zeros((4, 4))
        coupling[one] = -1
        logits = marginal_logits(np.zeros((1, 4)), np.zeros((1, 4)), coupling)[0]
        moved.append(np.flatnonzero(np.abs(logits) > 1e-9).tolist())
    assert moved == [[0], [1], [], [3]]


def test_log_odds_stay_finite_however_large() -> None:
    means = np.array([[-900.0, 900.0, -900.0, 900.0]])
    assert np.isfinite(marginal_logits(means, np.ones((1, 4)), np.full((4, 4), -50.0))).all()


def test_far_log_odds_stay_far() -> None:
    """Where powers of e would be infinite."""
    means = np.array([[-1000.0, -200.0, 200.0, 1000.0]])
    found = marginal_logits(means, np.zeros((1, 4)), np.zeros((4, 4)))
    assert found[0] == pytest.approx([-300.0, -200.0, 200.0, 300.0])


def test_rows_are_alike_whatever_stands_beside_them() -> None:
    """More than are worked on at a time."""
    rng = np.random.default_rng(3)
    means, variances, coupling = rng.normal(0, 3, (2049, 4)), rng.random((2049, 4)), rng.normal(0, 1, (4, 4))
    found = marginal_logits(means, variances, coupling)
    assert found.shape == (2049, 4)
    for row in (0, 1023, 1024, 2048):
        assert found[row] == pytest.approx(marginal_logits(means[[row]], variances[[row]], coupling)[0], rel=1e-12)
