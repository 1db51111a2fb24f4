"""The compiled loops against numpy."""

import numpy as np
import pytest

from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.kernels import N_SUMS, K
from engage_pipeline.model.effects.keyed_values import no_sums
from engage_pipeline_tests.model.effects.lane_matrices import covariance_of

ROWS, KEYS = 400, 14


def rows_of(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "codes": rng.integers(0, KEYS, ROWS).astype(np.int32),
        "residual": rng.normal(size=(ROWS, K)).astype(np.float32),
        "step": rng.random((ROWS, K)).astype(np.float32),
        "breadth": (4 + 10 * rng.random((ROWS, K))).astype(np.float32),
    }


def slopes_of(sloped: bool) -> tuple[np.ndarray, np.ndarray]:
    """Slopes as the loops take them, and what they count times, float64 [n, 1]."""
    slopes = np.random.default_rng(3).normal(size=ROWS if sloped else 0).astype(np.float32)
    return slopes, (slopes if sloped else np.ones(ROWS)).astype(float)[:, np.newaxis]


def keys_of(seed: int) -> np.ndarray:
    """Means and variances of keys, float32 [keys, 8]; of the first both are 0."""
    rng = np.random.default_rng(seed)
    found = np.hstack([rng.normal(size=(KEYS, K)), rng.random((KEYS, K))]).astype(np.float32)
    found[0] = 0
    return found


@pytest.mark.parametrize("caution", [0.0, 0.5, 1.0])
def test_what_rows_say_of_normal_log_odds(caution: float) -> None:
    """Chances and their derivatives by quadrature; MacKay's formula is near them."""
    rng = np.random.default_rng(1)
    odds, variances = rng.normal(-2, 2, (ROWS, K)).astype(np.float32), rng.random((ROWS, K)).astype(np.float32)
    odds[0], variances[0] = 0, 0
    labels, weights = rng.integers(0, 16, ROWS).astype(np.uint8), rng.random(ROWS).astype(np.float32)
    residual, step, breadth = (np.empty((ROWS, K), np.float32) for _ in range(3))
    loss = kernels.respond(odds, variances, labels, weights, caution, residual, step, breadth)
    nodes, shares = np.polynomial.hermite_e.hermegauss(40)
    x = odds[..., np.newaxis] + np.sqrt(variances)[..., np.newaxis] * nodes
    chances = (1 / (1 + np.exp(-x))) @ shares / shares.sum()
    derivatives = (1 / (2 + np.exp(-x) + np.exp(x))) @ shares / shares.sum()
    happened, weight = labels[:, np.newaxis] >> np.arange(K) & 1, weights[:, np.newaxis].astype(float)
    assert residual == pytest.approx(weight * (happened - chances), abs=0.02)
    information = 1 / (breadth.astype(float) - variances) / weight
    assert information == pytest.approx(derivatives, abs=0.02)
    size = np.maximum(np.abs(odds), 1e-6).astype(float)
    bound = np.tanh(size / 2) / (2 * size)
    assert step == pytest.approx(weight * (caution * bound + (1 - caution) * information), rel=1e-3)
    expected = -(weight * np.log(np.where(happened, chances, 1 - chances))).sum()
    assert loss == pytest.approx(expected, rel=0.03)


def test_rows_of_no_weight_and_sure_ones_say_nothing() -> None:
    odds = np.array([[0.0, 1, -1, 2], [200, -200, 90, -90]], np.float32)
    residual, step, breadth = (np.empty((2, K), np.float32) for _ in range(3))
    labels, weights = np.array([3, 5], np.uint8), np.array([0, 1], np.float32)
    loss = kernels.respond(odds, np.zeros((2, K), np.float32), labels, weights, 0.5, residual, step, breadth)
    assert residual == pytest.approx(np.zeros((2, K)), abs=1e-30)
    assert not step[0].any()
    assert (step[1] > 0).all()
    assert np.isinf(breadth[0]).all()
    assert (breadth[1] > 1e10).all()
    assert loss == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("sloped", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_rows_by_key(sloped: bool, dtype: type) -> None:
    rows, keys = rows_of(2), keys_of(4)
    slopes, times = slopes_of(sloped)
    keys[:, K:] *= 0.1
    sums = no_sums(keys, dtype)
    kernels.sum_rows(rows["codes"], slopes, rows["residual"], rows["step"], rows["breadth"], sums)
    for key in range(KEYS):
        own = rows["codes"] == key
        square = times[own] ** 2
        information = square / (rows["breadth"][own] - square * keys[key, K:])
        expected = (square * rows["step"][own]).sum(0), (times[own] * rows["residual"][own]).sum(0), information.sum(0)
        assert sums[key, : 3 * K] == pytest.approx(np.concatenate(expected), rel=1e-3, abs=1e-4)
        assert (sums[key, 3 * K :] == keys[key, K:]).all(), "variances stay"


@pytest.mark.parametrize("sloped", [False, True])
def test_means_and_variances_are_added_to_the_rows_of_their_key(sloped: bool) -> None:
    codes, keys = rows_of(4)["codes"], keys_of(5)
    slopes, times = slopes_of(sloped)
    odds, variances = np.ones((ROWS, K), np.float32), np.full((ROWS, K), 2, np.float32)
    kernels.add_keys(codes, slopes, keys, odds, variances)
    assert odds == pytest.approx(1 + times * keys[codes, :K], abs=1e-6)
    assert variances == pytest.approx(2 + times**2 * keys[codes, K:], abs=1e-6)


@pytest.mark.parametrize("sloped", [False, True])
def test_moves_are_taken_from_the_residuals_of_the_rows(sloped: bool) -> None:
    rows, moved = rows_of(4), keys_of(5)[:, :K].copy()
    slopes, times = slopes_of(sloped)
    expected = rows["residual"] - rows["step"] * times * moved[rows["codes"]]
    kernels.move_rows(rows["codes"], slopes, moved, rows["step"], rows["residual"])
    assert rows["residual"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_cells_by_key_are_less_what_they_have_moved_by(dtype: type) -> None:
    rng = np.random.default_rng(8)
    cells, sums = rng.integers(0, KEYS, ROWS), rng.random((ROWS, N_SUMS)).astype(dtype)
    moves, own = rng.normal(size=(ROWS, K)).astype(np.float32), np.zeros((KEYS, N_SUMS))
    before = sums.copy()
    kernels.sum_cells(cells, sums, moves, own)
    for key in range(KEYS):
        expected = before[cells == key].sum(axis=0, dtype=float)
        expected[3 * K :] = 0
        expected[K : 2 * K] -= (before[cells == key, :K] * moves[cells == key]).sum(axis=0, dtype=float)
        assert own[key] == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert np.array_equal(sums, before)


@pytest.mark.parametrize("size", [2, 17, 40])
@pytest.mark.parametrize("learn", [False, True])
def test_keys_are_moved_to_where_rows_and_prior_balance(size: int, learn: bool) -> None:
    rng = np.random.default_rng(size)
    sums, prior = 3 * rng.random((size, N_SUMS)), np.linalg.inv(covariance_of(6))
    sums[:, K : 2 * K] -= 1.5
    keys, moved = rng.normal(size=(size, 2 * K)).astype(np.float32), np.zeros((size, K), np.float32)
    before, moments = keys.copy(), np.ones((2, K, K))
    kernels.solve_keys(sums, prior, keys, moved, moments, learn)
    covariances = np.linalg.inv(prior + sums[1:, 2 * K : 3 * K, np.newaxis] * np.eye(K))
    for key in range(1, size):
        means = before[key, :K].astype(float)
        step = np.linalg.solve(prior + np.diag(sums[key, :K]), sums[key, K : 2 * K] - prior @ means)
        assert moved[key] == pytest.approx(step, abs=1e-5)
        assert keys[key, :K] == pytest.approx(means + step, abs=1e-5)
        assert keys[key, K:] == pytest.approx(np.diag(covariances[key - 1]), rel=1e-5)
    assert np.array_equal(keys[0], before[0])
    assert not moved[0].any()
    solved = keys[1:, :K].astype(float)
    expected = np.stack([solved.T @ solved, covariances.sum(axis=0)]) if learn else np.zeros((2, K, K))
    assert moments == pytest.approx(1 + expected, rel=1e-4)
