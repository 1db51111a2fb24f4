"""Vectors of four against numpy, and that the loops of the effects are made of them."""

import re
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

from engage_pipeline.model.effects import kernels
from engage_pipeline.numerics.fours import (
    add_to,
    chosen,
    difference_of,
    four_of,
    larger_of,
    product_of,
    ratio_of,
    root_of,
    smaller_of,
    total_of,
    wide_of,
    write_to,
)

OPERATIONS: dict[str, tuple[Any, Callable[..., np.ndarray]]] = {
    "total": (total_of, np.add),
    "difference": (difference_of, np.subtract),
    "product": (product_of, np.multiply),
    "ratio": (ratio_of, np.divide),
    "larger": (larger_of, np.maximum),
    "smaller": (smaller_of, np.minimum),
}
KINDS = [np.float32, np.float64]


def values_of(dtype: type, seed: int) -> np.ndarray:
    """Rows of six numbers, so that those from the second on lie across lines of any width."""
    return np.random.default_rng(seed).normal(size=(9, 6)).astype(dtype)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_two_fours_or_a_number_and_a_four_are_worked_on_as_by_numpy(name: str, first: type, second: type) -> None:
    operation, expected = OPERATIONS[name]

    @numba.njit(error_model="numpy")
    def work(ones, others, number, found):  # type: ignore[no-untyped-def]
        for row in range(len(ones)):
            write_to(found, row, operation(four_of(ones, row, 1), four_of(others, row, 2)), 1)
            write_to(found, row, operation(number, four_of(others, row, 2)), 5)

    ones, others = values_of(first, 1), values_of(second, 2)
    found, number = np.zeros((9, 9), np.result_type(first, second)), first(0.25)
    work(ones, others, number, found)
    assert np.array_equal(found[:, 1:5], expected(ones[:, 1:5], others[:, 2:]))
    assert np.array_equal(found[:, 5:], expected(number, others[:, 2:]))
    assert not found[:, 0].any()


@pytest.mark.parametrize("dtype", KINDS)
def test_roots_and_choices(dtype: type) -> None:
    @numba.njit
    def work(values, found):  # type: ignore[no-untyped-def]
        for row in range(len(values)):
            four = four_of(values, row, 1)
            write_to(found, row, chosen(four, 0.5, root_of(product_of(four, four)), -2.0), 2)

    values, found = values_of(dtype, 3), np.zeros((9, 6), dtype)
    work(values, found)
    assert np.array_equal(found[:, 2:], np.where(values[:, 1:5] > 0.5, np.sqrt(values[:, 1:5] ** 2), -2))


@pytest.mark.parametrize("dtype", KINDS)
def test_sums_of_wider_numbers_are_rounded_once(dtype: type) -> None:
    @numba.njit
    def work(values, sums):  # type: ignore[no-untyped-def]
        for row in range(len(values)):
            add_to(sums, row, wide_of(values, row, 2), 1)
            add_to(sums, row, (1.0, 2.0, 3.0, 4.0), 1)

    values, sums = values_of(np.float32, 4), values_of(dtype, 5)
    expected = sums.copy()
    expected[:, 1:5] = sums[:, 1:5] + values[:, 2:].astype(float)
    expected[:, 1:5] = expected[:, 1:5] + np.arange(1.0, 5)
    work(values, sums)
    assert np.array_equal(sums, expected)


@pytest.mark.parametrize("loop", [kernels.add_keys, kernels.sum_rows, kernels.move_rows])
def test_loops_over_rows_work_on_four_numbers_at_a_time(loop: Any) -> None:
    """Else they take more than twice as long, and nobody sees why."""
    codes, slopes, rows = np.zeros(2, np.int32), np.zeros(2, np.float32), np.ones((2, 4), np.float32)
    arrays = {
        "keys": np.zeros((1, 8), np.float32),
        "moved": np.zeros((1, 4), np.float32),
        "sums": np.zeros((1, kernels.N_SUMS), np.float32),
    }
    names = loop.py_func.__code__.co_varnames[2 : loop.py_func.__code__.co_argcount]
    compiled = numba.njit(error_model="numpy")(loop.py_func)
    compiled(codes, slopes, *(arrays.get(name, rows) for name in names))
    (code,) = compiled.inspect_llvm().values()
    assert "fadd <4 x float>" in code or "fsub <4 x float>" in code
    assert not re.search(r"f(add|sub|div) float", code), "numbers one by one"
