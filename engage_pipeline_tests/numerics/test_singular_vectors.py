"""Subspace iteration over blocks against numpy's dense singular value decomposition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array  # noqa: TID253 - nothing light imports tests

from engage_pipeline.numerics.singular_vectors import leading_directions


def sparse_rows(rows: int, columns: int, seed: int, groups: int = 6) -> np.ndarray:
    """A sparse matrix of a few strong directions, one a group of rows and columns, and much noise; float32."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, columns)
    same = rng.integers(0, groups, rows)[:, None] == group
    strength = rng.uniform(0.5, 1, columns) * np.where(same, 2 + group, 0.2)
    return np.where(rng.random((rows, columns)) < 0.2, strength, 0).astype(np.float32)


def in_blocks(dense: np.ndarray, rows: int) -> list[csr_array]:
    return [csr_array(dense[start : start + rows]) for start in range(0, len(dense), rows)]


@pytest.mark.parametrize("rows", [7, 100, 400])
def test_it_agrees_with_the_dense_decomposition(rows: int) -> None:
    dense = sparse_rows(400, 90, 1)
    directions, values = leading_directions(lambda: in_blocks(dense, rows), 90, 5, seed=3)
    _, expected, right = np.linalg.svd(dense.astype(np.float64))
    np.testing.assert_allclose(values, expected[:5], rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.diag(directions.T @ right[:5].T)), 1, atol=1e-3)
    np.testing.assert_allclose(directions.T @ directions, np.eye(5), atol=1e-5)
    assert directions.dtype == values.dtype == np.float32


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.integers(0, 100))
def test_small_matrices_are_decomposed_exactly_and_to_their_rank(rows: int, columns: int, rank: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = (rng.integers(-2, 3, (rows, rank)) @ rng.integers(-2, 3, (rank, columns))).astype(np.float32)
    directions, values = leading_directions(lambda: in_blocks(dense, 3), columns, 20, seed=seed)
    assert len(values) == directions.shape[1] == np.linalg.matrix_rank(dense, tol=1e-2)
    np.testing.assert_allclose(values, np.linalg.svd(dense)[1][: len(values)], rtol=1e-3)
    np.testing.assert_allclose(dense @ directions @ directions.T, dense, atol=1e-2)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (3, 0), (3, 4)])
def test_a_matrix_without_entries_has_no_direction(shape: tuple[int, int]) -> None:
    directions, values = leading_directions(lambda: [csr_array(shape, dtype=np.float32)], shape[1], 8, seed=1)
    assert directions.shape == (shape[1], 0)
    assert values.shape == (0,)


def test_the_same_seed_gives_the_same_bytes() -> None:
    blocks = in_blocks(sparse_rows(200, 60, 2), 50)
    one, two = (leading_directions(lambda: blocks, 60, 8, seed=5)[0] for _ in range(2))
    assert one.tobytes() == two.tobytes()
