"""The compiled loops against numpy, and the distribution of what they draw."""

import numpy as np
import pytest

from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.kernels import K

ROWS, KEYS = 400, 14


def rows_of(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "codes": rng.integers(0, KEYS, ROWS).astype(np.int32),
        "labels": rng.integers(0, 1 << K, ROWS).astype(np.uint8),
        "weights": (rng.random(ROWS) * (rng.random(ROWS) < 0.8)).astype(np.float32),
        "curvature": rng.random((ROWS, K)).astype(np.float32),
        "odds": rng.normal(size=(ROWS, K)).astype(np.float32),
    }


def covariance_of(seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(K, K))
    return root @ root.T + np.eye(K)


@pytest.mark.parametrize("odds", [0.0, 0.3, -1.5, 4.0, 20.0])
def test_curvatures_have_the_moments_of_polya_gamma(odds: float) -> None:
    """Mean and variance by hand (Polson, Scott, Windle 2013, section 2.3)."""
    size, c = 60_000, abs(odds)
    found = np.empty((size, K), np.float32)
    weights = np.ones(size, np.float32)
    kernels.draw_curvatures(np.full((size, K), odds, np.float32), weights, np.random.default_rng(1), found)
    mean = np.tanh(c / 2) / (2 * c) if c else 0.25
    variance = (np.sinh(c) - c) / (4 * c**3 * np.cosh(c / 2) ** 2) if c else 1 / 24
    assert found.mean() == pytest.approx(mean, abs=5 * np.sqrt(variance / found.size))
    assert found.var() == pytest.approx(variance, rel=0.05)
    assert (found > 0).all()


def test_curvatures_are_times_the_weights_and_the_same_for_a_seed() -> None:
    odds, weights = np.ones((3, K), np.float32), np.array([1.0, 0.0, 0.5], np.float32)
    one, two = np.empty((2, 3, K), np.float32)
    kernels.draw_curvatures(odds, np.ones(3, np.float32), np.random.default_rng(5), one)
    kernels.draw_curvatures(odds[[0]], weights[[2]], np.random.default_rng(5), two[:1])
    assert np.allclose(two[0], one[0] / 2)
    kernels.draw_curvatures(odds, weights, np.random.default_rng(5), two)
    assert not two[1].any()


@pytest.mark.parametrize("sloped", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_rows_by_key(sloped: bool, dtype: type) -> None:
    rows = rows_of(2)
    slopes = np.random.default_rng(3).normal(size=ROWS if sloped else 0).astype(np.float32)
    precision, pull = np.zeros((2, KEYS, K), dtype)
    kernels.sum_rows(
        rows["codes"], slopes, *(rows[n] for n in ("labels", "weights", "curvature", "odds")), precision, pull
    )
    times = slopes.astype(float) if sloped else np.ones(ROWS)
    bits = rows["labels"][:, np.newaxis] >> np.arange(K) & 1
    targets = rows["weights"][:, np.newaxis] * (bits - 0.5)
    for key in range(KEYS):
        own = rows["codes"] == key
        assert precision[key] == pytest.approx((rows["curvature"][own].T * times[own] ** 2).sum(1), rel=1e-4)
        rest = (targets - rows["curvature"] * rows["odds"])[own]
        assert pull[key] == pytest.approx((rest.T * times[own]).sum(1), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("sloped", [False, True])
def test_values_are_added_to_the_rows_of_their_key(sloped: bool) -> None:
    rows = rows_of(4)
    slopes = np.random.default_rng(3).normal(size=ROWS if sloped else 0).astype(np.float32)
    values = np.random.default_rng(5).normal(size=(KEYS, K)).astype(np.float32)
    expected = rows["odds"] + values[rows["codes"]] * (slopes[:, np.newaxis] if sloped else 1)
    kernels.add_rows(rows["codes"], slopes, values, rows["odds"])
    assert np.allclose(rows["odds"], expected, atol=1e-6)


def draw(keys: int, seed: int = 6, **kept: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {
        "precision": np.tile(rng.random(K) * 3, (keys, 1)),
        "pull": np.tile(rng.normal(size=K), (keys, 1)),
        "prior": np.linalg.inv(covariance_of(seed)),
        "values": np.tile(rng.normal(size=K), (keys, 1)).astype(np.float32),
        "moved": np.zeros((keys, K), np.float32),
        "moments": np.zeros((2 + K, K, K)),
        "means": np.zeros((keys, K), np.float32),
        "variances": np.zeros((keys, K), np.float32),
    }
    found["before"] = found["values"].copy()
    kernels.draw_keys(
        found["precision"],
        found["pull"],
        found["prior"],
        np.random.default_rng(seed),
        found["values"],
        found["moved"],
        found["moments"],
        kept.get("learn", True),
        kept.get("keep", True),
        found["means"],
        found["variances"],
    )
    return found


def test_keys_are_drawn_from_their_normal_distribution() -> None:
    found = draw(40_001)
    drawn = found["values"][1:].astype(float)
    covariance = np.linalg.inv(found["prior"] + np.diag(found["precision"][1]))
    right = found["pull"][1] + found["precision"][1] * found["before"][1]
    mean = covariance @ right
    assert found["means"][1] == pytest.approx(mean, rel=1e-5)
    assert found["variances"][1] == pytest.approx(np.diag(covariance), rel=1e-5)
    assert drawn.mean(0) == pytest.approx(mean, abs=5 * np.sqrt(covariance.max() / len(drawn)))
    assert np.cov(drawn.T) == pytest.approx(covariance, abs=0.05 * covariance.max())
    assert np.allclose(found["moved"][1:], drawn - found["before"][1:], atol=1e-6)
    assert not found["moved"][0].any()
    assert (found["values"][0] == found["before"][0]).all()


def test_moments_are_those_of_the_draws() -> None:
    found = draw(500)
    drawn, precision = found["values"][1:].astype(float), found["precision"][1:]
    right = found["pull"][1:] + precision * found["before"][1:]
    assert found["moments"][0] == pytest.approx(drawn.T @ drawn, rel=1e-3, abs=1e-2)
    for one in range(K):
        expected = (drawn * precision[:, [one]]).T @ drawn
        assert found["moments"][1 + one] == pytest.approx(expected, rel=1e-3, abs=1e-2)
    assert found["moments"][1 + K] == pytest.approx(right.T @ drawn, rel=1e-3, abs=1e-2)


def test_nothing_is_kept_and_nothing_learned_unless_asked() -> None:
    found = draw(20, learn=False, keep=False)
    assert not found["moments"].any()
    assert not found["means"].any()
    assert not found["variances"].any()


def test_shifts_are_drawn_from_their_normal_distribution() -> None:
    """The shift s of a key with value u and children c_i has the density of (u + s) and (c_i - s), both normal."""
    size, children = 30_000, np.array([[0.5, -1.0, 0.2, 0.0], [1.5, 0.0, -0.7, 0.3]])
    fine, coarse = np.linalg.inv(covariance_of(1)), np.linalg.inv(covariance_of(2))
    value = np.array([0.4, 0.1, -0.3, 0.8])
    values = np.tile(value, (size, 1)).astype(np.float32)
    totals = np.tile(children.sum(0), (size, 1))
    kernels.draw_shifts(np.full(size, 2.0), totals, values, fine, coarse, np.random.default_rng(8))
    covariance = np.linalg.inv(2 * fine + coarse)
    mean = covariance @ (fine @ children.sum(0) - coarse @ value)
    assert totals[1:].mean(0) == pytest.approx(mean, abs=0.03)
    assert np.cov(totals[1:].T) == pytest.approx(covariance, abs=0.03)
    assert np.allclose(values[1:], value + totals[1:], atol=1e-5)
    assert np.allclose(values[0], value)
    assert np.allclose(totals[0], children.sum(0)), "the first key is left alone"


def test_what_a_parent_takes_its_children_lose() -> None:
    parents = np.array([0, 2, 1, 2], np.int32)
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    counts, totals = np.zeros(3), np.zeros((3, K))
    kernels.sum_children(parents, values, counts, totals)
    assert counts.tolist() == [1, 1, 2]
    assert totals.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11], [16, 18, 20, 22]]
    kernels.take_from_children(parents, values, np.array([[0.0] * 4, [1.0] * 4, [2.0] * 4]))
    assert values[:, 0].tolist() == [0, 2, 7, 10]
