"""The arithmetic of a draw, LANES keys at a time, against numpy."""

import numpy as np
import pytest

from engage_pipeline.model.effects import lanes
from engage_pipeline.model.effects.lanes import DRAW, LANES, MATRIX, MEAN, N_LINES, N_SUMS, NOISE, RIGHT, VARIANCE

K = 4


def matrices(seed: int) -> np.ndarray:
    """Another positive definite matrix in each lane, float64 [LANES, 4, 4]."""
    roots = np.random.default_rng(seed).normal(size=(LANES, K, K))
    return roots @ roots.transpose(0, 2, 1) + np.eye(K)


def lines(work: np.ndarray, line: int) -> np.ndarray:
    """Four lines, float64 [LANES, 4]."""
    return work.reshape(N_LINES, LANES)[line : line + K].T


@pytest.fixture
def work() -> np.ndarray:
    """Matrices, right sides and noise of each lane, solved."""
    found, rng = np.zeros(N_LINES * LANES), np.random.default_rng(2)
    for lane, matrix in enumerate(matrices(1)):
        lanes.put_below(found, lane, matrix)
        lanes.put(found, MATRIX, lane, tuple(np.diag(matrix).tolist()))
        for line in (RIGHT, NOISE):
            lanes.put(found, line, lane, tuple(rng.normal(size=K).tolist()))
    lanes.solve(found)
    return found


def test_mean_and_draw_of_each_lane_are_solutions(work: np.ndarray) -> None:
    for lane, matrix in enumerate(matrices(1)):
        lower = np.linalg.cholesky(matrix)
        mean = np.linalg.solve(matrix, lines(work, RIGHT)[lane])
        assert lanes.get(work, MEAN, lane) == pytest.approx(mean, rel=1e-9)
        draw = mean + np.linalg.solve(lower.T, lines(work, NOISE)[lane])
        assert lanes.get(work, DRAW, lane) == pytest.approx(draw, rel=1e-9)


def test_variances_are_the_diagonal_of_the_inverse(work: np.ndarray) -> None:
    lanes.invert(work)
    for lane, matrix in enumerate(matrices(1)):
        assert lanes.get(work, VARIANCE, lane) == pytest.approx(np.diag(np.linalg.inv(matrix)), rel=1e-9)


def test_sums_are_those_of_all_lanes(work: np.ndarray) -> None:
    precision = np.random.default_rng(3).random((LANES, K))
    for lane, own in enumerate(precision.tolist()):
        lanes.put(work, lanes.PRECISION, lane, tuple(own))
    sums, moments = np.zeros(N_SUMS * LANES), np.ones((2 + K, K, K))
    for _ in range(2):
        lanes.add_sums(work, sums)
    lanes.add_whole(sums, moments)
    draw, pull = lines(work, DRAW), lines(work, RIGHT)
    assert moments[0] == pytest.approx(1 + 2 * draw.T @ draw)
    for one in range(K):
        assert moments[1 + one] == pytest.approx(1 + 2 * (draw * precision[:, [one]]).T @ draw)
    assert moments[1 + K] == pytest.approx(1 + 2 * pull.T @ draw)
