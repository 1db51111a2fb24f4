"""Intervals of probabilities against normal log-odds whose mean and deviation are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.model.explanation.uncertainty import probability_intervals
from engage_pipeline.numerics.logistic import sigmoid


@pytest.mark.parametrize("mean", [-6.0, -1.0, 0.0, 2.5])
@pytest.mark.parametrize("deviation", [0.2, 1.0, 2.0])
def test_the_ends_are_the_quantiles_of_what_has_this_mean(mean: float, deviation: float) -> None:
    """A million draws of the log-odds give the mean probability, and its quantiles."""
    drawn = sigmoid(np.random.default_rng(1).normal(mean, deviation, 1_000_000))
    logit = np.log(drawn.mean()) - np.log1p(-drawn.mean())
    low, high = probability_intervals(np.array([logit]), np.array([deviation]))
    assert [low[0], high[0]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), rel=0.03)


@given(st.floats(-12, 12), st.floats(0, 4))
def test_the_prediction_is_inside(logit: float, deviation: float) -> None:
    low, high = probability_intervals(np.array([logit]), np.array([deviation]))
    chance = sigmoid(np.array([logit]))
    assert low[0] <= chance[0] * (1 + 1e-9)
    assert chance[0] <= high[0] * (1 + 1e-9)


def test_what_is_known_has_no_width() -> None:
    logits = np.array([-8.0, 0.0, 3.0])
    low, high = probability_intervals(logits, np.zeros(3))
    assert low == pytest.approx(sigmoid(logits))
    assert high == pytest.approx(sigmoid(logits))
