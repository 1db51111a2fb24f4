"""Solutions of LANES systems at a time, against numpy."""

from typing import Any

import numba
import numpy as np
import pytest

from engage_pipeline.model.effects import lanes
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.lanes import INVERSE, LANES, MATRIX, N_LINES, N_SUMS, RIGHT, SOLUTION
from engage_pipeline_tests.model.effects.lane_matrices import covariance_of

MATRICES = [covariance_of(seed) for seed in range(LANES)]
"""Another one in each lane."""


def lines(work: np.ndarray, line: int) -> np.ndarray:
    """Four lines, float64 [LANES, 4]."""
    return work.reshape(N_LINES, LANES)[line : line + K].T


@pytest.fixture
def work() -> np.ndarray:
    """Matrices and right sides of each lane, solved and inverted."""
    found, rng = np.zeros(N_LINES * LANES), np.random.default_rng(2)
    for lane, matrix in enumerate(MATRICES):
        lanes.put_below(found, lane, matrix)
        lanes.put(found, MATRIX, lane, tuple(np.diag(matrix).tolist()))
        lanes.put(found, RIGHT, lane, tuple(rng.normal(size=K).tolist()))
    lanes.factor(found)
    lanes.solve(found)
    lanes.invert(found)
    return found


def test_each_lane_has_its_solution(work: np.ndarray) -> None:
    for lane, matrix in enumerate(MATRICES):
        expected = np.linalg.solve(matrix, lines(work, RIGHT)[lane])
        assert lanes.get(work, SOLUTION, lane) == pytest.approx(expected, rel=1e-9)


def test_each_lane_has_its_inverse(work: np.ndarray) -> None:
    for lane, matrix in enumerate(MATRICES):
        inverse = np.linalg.inv(matrix)
        below = [inverse[row, column] for row, column in ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2))]
        found = work.reshape(N_LINES, LANES)[int(INVERSE) : int(INVERSE) + 10, lane]
        assert found == pytest.approx([*np.diag(inverse), *below], rel=1e-9)


@pytest.mark.parametrize("count", [LANES, 3])
def test_sums_are_those_of_the_first_lanes(count: int, work: np.ndarray) -> None:
    sums, moments = np.zeros(N_SUMS * LANES), np.ones((2, K, K))
    work.reshape(N_LINES, LANES)[SOLUTION : SOLUTION + K, count:] = 0
    add_moments: Any = numba.njit(lanes.add_moments)
    for _ in range(2):
        add_moments(work, count, sums)
    lanes.add_whole(sums, moments)
    solved = lines(work, SOLUTION)[:count]
    inverses = np.linalg.inv(np.stack(MATRICES[:count])).sum(axis=0)
    assert moments == pytest.approx(1 + 2 * np.stack([solved.T @ solved, inverses]))
