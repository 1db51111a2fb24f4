"""Numbers of distinct keys against a dict, with keys that share a place of the table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.numerics.distinct import Distinct
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
