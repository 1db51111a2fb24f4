"""The compiled sums of hidden states, against the same by numpy."""

import numpy as np
import pytest

from engage_pipeline.language.state_sums import add_states

UNITS = 2.0**10
PLACES = np.array([0, 0, 1, 0, 2])
"""Tokens 2 and 4 occur, and 0 for padding."""
IDS = np.array([[2, 4, 2, 2], [4, 0, 0, 0], [2, 4, 0, 0]])
LENGTHS, WEIGHTS = np.array([4, 1, 2]), np.array([1, 7, 100])


def some_states() -> np.ndarray:
    states = np.random.default_rng(3).normal(size=(3, 4, 5)).astype(np.float32)
    states[0, 0, :3] = [0.5 / UNITS, 1.5 / UNITS, -0.5 / UNITS]  # halves go to the even neighbour
    return states


def add(states: np.ndarray, room: float, sums: np.ndarray) -> bool:
    return add_states(states, IDS, LENGTHS, WEIGHTS, PLACES, UNITS, room, sums)


def test_each_state_is_rounded_weighted_and_added_to_its_token() -> None:
    states, sums = some_states(), np.arange(15).reshape(3, 5)
    expected = sums.copy()
    for tweet, length in enumerate(LENGTHS):
        for place in range(length):
            multiples = np.round(states[tweet, place].astype(np.float64) * UNITS).astype(np.int64)
            expected[PLACES[IDS[tweet, place]]] += WEIGHTS[tweet] * multiples
    assert add(states, 1e9, sums)
    np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 9 / UNITS, -9 / UNITS])
def test_what_is_no_number_or_beyond_the_room_is_told(value: float) -> None:
    states, sums = np.zeros((3, 4, 5), np.float32), np.zeros((3, 5), np.int64)
    states[2, 1, 4] = 8 / UNITS
    assert add(states, 8.0, sums)
    states[2, 1, 4] = value
    assert not add(states, 8.0, sums)


def test_padding_is_not_looked_at() -> None:
    states, sums = some_states(), np.zeros((3, 5), np.int64)
    states[1, 1:], states[2, 2:] = np.nan, np.inf
    assert add(states, 1e9, sums)
    assert not sums[0].any()
