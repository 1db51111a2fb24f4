"""Numbers of distinct keys, some of which share a place of the table, and of distinct rows, against a dict."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.numerics.distinct import Distinct, distinct_rows
from engage_pipeline.numerics.splitmix import GOLDEN_GAMMA

_INVERSE = pow(int(GOLDEN_GAMMA), -1, 1 << 64)
_PLACES = st.integers(0, 3) | st.integers((1 << 64) - 3, (1 << 64) - 1)
_KEYS = st.integers(0, (1 << 64) - 1) | _PLACES.map(lambda product: product * _INVERSE % (1 << 64))
"""Products with the odd number that are small or large alike: their upper bits, the places, are the same."""


def numbered(first: int, batches: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """The keys and the numbers, by a dict."""
    numbers = {first: 0}
    found = [[numbers.setdefault(key, len(numbers)) for key in batch] for batch in batches]
    return list(numbers), found


@given(first=_KEYS, batches=st.lists(st.lists(_KEYS, max_size=40), max_size=4))
def test_keys_have_numbers_in_the_order_in_which_they_first_occur(first: int, batches: list[list[int]]) -> None:
    distinct = Distinct(first)
    found = [distinct.numbers(np.array(batch, np.uint64)).tolist() for batch in batches]
    keys, expected = numbered(first, batches)
    assert distinct.keys.tolist() == keys
    assert found == expected
    assert len(distinct) == len(keys)


@pytest.mark.parametrize("batch", [1, 999, 40_000])
def test_a_table_grows_and_keeps_the_numbers(batch: int) -> None:
    rng = np.random.default_rng(batch)
    keys = rng.integers(1, 30_000, 40_000).astype(np.uint64) * np.uint64(3_000_000_019)
    if batch == 1:
        keys = keys[:3_000]
    distinct = Distinct(0)
    found = np.concatenate([distinct.numbers(keys[start : start + batch]) for start in range(0, len(keys), batch)])
    assert numbered(0, [keys.tolist()]) == (distinct.keys.tolist(), [found.tolist()])


def test_keys_may_be_a_column_of_records_and_their_numbers_are_int32() -> None:
    records = np.zeros(3, [("other", "i1"), ("key", "u8")])
    records["key"] = [7, 0, 7]
    found = Distinct(0).numbers(records["key"])
    assert found.dtype == np.int32
    assert found.tolist() == [1, 0, 1]


_TEXTS = st.none() | st.sampled_from([b"", b"a", b"b", b"\0", b"ab"])


@given(rows=st.lists(st.tuples(_TEXTS, _TEXTS, _TEXTS), max_size=40), cut=st.integers(0, 40))
def test_rows_are_equal_if_all_columns_are(rows: list[tuple[bytes | None, ...]], cut: int) -> None:
    """Also where a value is null, or the columns are in pieces."""
    kinds = pa.schema([("low", pa.binary()), ("high", pa.binary()), ("language", pa.binary())])
    pieces = [pa.table(list(zip(*part, strict=True)) or [[]] * 3, kinds) for part in (rows[:cut], rows[cut:])]
    first, numbers = distinct_rows(pa.concat_tables(pieces))
    known, expected = numbered(hash(None), [[hash(row) for row in rows]])
    assert numbers.tolist() == [number - 1 for number in expected[0]]
    assert first.tolist() == [[hash(row) for row in rows].index(one) for one in known[1:]]
    assert (first.dtype, numbers.dtype) == (np.int64, np.int64)


def test_no_rows_have_no_distinct_ones() -> None:
    first, numbers = distinct_rows(pa.schema([("text", pa.binary())]).empty_table())
    assert (len(first), len(numbers)) == (0, 0)
