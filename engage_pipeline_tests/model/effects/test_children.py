"""The compiled loops of nested effects against numpy."""

import numpy as np
import pytest

from engage_pipeline.model.effects import children
from engage_pipeline.model.effects.kernels import K
from engage_pipeline_tests.model.effects.lane_matrices import covariance_of


def test_a_parent_takes_over_what_makes_it_and_its_children_likeliest() -> None:
    """The shift s of a key with mean u and children c_i: the least of u + s and c_i - s by their priors."""
    own = np.array([[0.5, -1.0, 0.2, 0.0], [1.5, 0.0, -0.7, 0.3]])
    fine, coarse = np.linalg.inv(covariance_of(1)), np.linalg.inv(covariance_of(2))
    mean = np.array([0.4, 0.1, -0.3, 0.8])
    keys = np.tile(np.concatenate([mean, [9] * K]), (40, 1)).astype(np.float32)
    counts, totals = np.full(40, 2.0), np.tile(own.sum(0), (40, 1))
    counts[7] = 0
    shifts = np.full((40, K), 7, np.float32)
    children.shift_parents(counts, totals, keys, fine, coarse, shifts)
    shift = np.linalg.solve(2 * fine + coarse, fine @ own.sum(0) - coarse @ mean)
    moved = np.delete(np.arange(40), [0, 7])
    assert shifts[moved] == pytest.approx(np.tile(shift, (38, 1)))
    assert shifts[7].tolist() == [0] * K
    assert keys[moved, :K] == pytest.approx(np.tile(mean + shift, (38, 1)), abs=1e-6)
    assert keys[[0, 7], :K] == pytest.approx(np.tile(mean, (2, 1)), abs=1e-6)
    assert (keys[:, K:] == 9).all(), "variances stay"
    assert shifts[0].tolist() == [7] * K, "the first key is left alone"


def test_what_a_parent_takes_its_children_lose() -> None:
    parents = np.array([0, 2, 1, 2], np.int32)
    keys = np.hstack([np.arange(16).reshape(4, 4), np.full((4, 4), 5)]).astype(np.float32)
    counts, totals = np.zeros(3), np.zeros((3, K))
    children.sum_children(parents, keys, counts, totals)
    assert counts.tolist() == [1, 1, 2]
    assert totals.tolist() == [[0, 1, 2, 3], [8, 9, 10, 11], [16, 18, 20, 22]]
    shifts = np.array([[0.0] * 4, [1.0] * 4, [2.0] * 4], np.float32)
    children.take_from_children(parents, keys, shifts)
    assert keys[:, 0].tolist() == [0, 2, 7, 10]
    assert (keys[:, K:] == 5).all(), "variances stay"


def test_what_parents_take_is_taken_from_the_sums_of_others() -> None:
    """Keys 1 and 3 have lost 2 each to a parent, key 2 has lost 1."""
    parents, others = np.array([0, 1, 1, 2], np.int32), np.array([0, 2, 1, 2], np.int32)
    totals, shifts = np.full((3, K), 10.0), np.array([[0.0] * 4, [1.0] * 4, [2.0] * 4], np.float32)
    children.take_from_totals(parents, others, shifts, totals)
    assert totals.tolist() == [[10] * K, [7] * K, [8] * K]
