"""Sums of counters that share words, and orders that look at the upper bits of values."""

import numpy as np
import pytest

from engage_pipeline.interactions.shards.grouping import (
    NOT_COUNTED,
    Packing,
    lengths_of,
    numbered,
    order_of,
    starts_of,
    sums,
)

LIKE, REPLY, RETWEET, QUOTE, NEGATIVE = 1, 2, 4, 8, 0


def total(labels: list[int], starts: list[int], packing: Packing) -> list[list[int]]:
    """The counts of groups of neighbouring rows, [groups, COUNTS]."""
    words = packing.words(np.array(labels, np.uint8))
    return packing.unpacked(sums(words, np.array(starts, np.int64))).T.tolist()


@pytest.mark.parametrize("packing", [Packing.of(5), Packing.of(65_536)], ids=["narrow", "wide"])
def test_each_counter_is_added_up_by_itself(packing: Packing) -> None:
    labels = [LIKE, LIKE | REPLY, NEGATIVE, RETWEET, QUOTE | RETWEET, NOT_COUNTED]
    assert total(labels, [0, 3, 5], packing) == [[2, 1, 0, 0, 1, 3], [0, 0, 2, 1, 0, 2], [0, 0, 0, 0, 0, 0]]


def test_a_group_of_65_535_rows_fits_16_bits_and_one_row_more_takes_32() -> None:
    assert (Packing.of(65_535).kind, Packing.of(65_536).kind) == (np.uint16, np.uint32)
    for rows in (65_535, 65_536):
        packing = Packing.of(rows)
        assert total([LIKE | QUOTE] * rows + [REPLY], [0, rows], packing) == [
            [rows, 0, 0, rows, 0, rows],
            [0, 1, 0, 0, 0, 1],
        ]


def test_no_row_has_no_group() -> None:
    nothing = np.zeros(0, np.int64)
    assert starts_of(nothing).tolist() == lengths_of(nothing, 0).tolist() == numbered(nothing, 0).tolist() == []
    assert total([], [], Packing.of(0)) == []


def test_a_group_begins_where_any_column_changes() -> None:
    starts = starts_of(np.array([1, 1, 2, 2, 2]), np.array([7, 7, 7, 8, 8]))
    assert starts.tolist() == [0, 2, 3]
    assert lengths_of(starts, 5).tolist() == [2, 1, 2]
    assert numbered(starts, 5).tolist() == [0, 0, 1, 2, 2]


@pytest.mark.parametrize("rows", [200, 5000])
@pytest.mark.parametrize("spread", ["all bits", "low bits", "few values", "two values that agree in their upper bits"])
@pytest.mark.parametrize("folds", [None, 7])
def test_rows_are_ordered_by_group_value_and_fold(rows: int, spread: str, folds: int | None) -> None:
    rng = np.random.default_rng(rows)
    groups = rng.integers(0, 40, rows).astype(np.int32)
    values = rng.integers(0, 2**64, rows, np.uint64)
    if spread == "low bits":
        values = rng.integers(0, 5, rows, np.uint64)
    elif spread == "few values":
        values = rng.integers(0, 5, rows, np.uint64) << np.uint64(61)
    elif spread.startswith("two"):
        values[:] = np.array([2**63 + 2, 2**63 + 1], np.uint64)[rng.integers(0, 2, rows)]
    last = None if folds is None else rng.integers(0, folds, rows).astype(np.int32)
    order = order_of(groups, values, last)
    keys = [groups, values] if last is None else [groups, values, last]
    assert order.tolist() == np.lexsort(keys[::-1]).tolist()


def test_codes_of_16_bits_are_ordered_whole() -> None:
    groups = np.array([1, 0, 1, 0], np.int32)
    values = np.array([65_535, 2, 1, 65_535], np.uint16)
    assert order_of(groups, values).tolist() == [1, 3, 2, 0]
