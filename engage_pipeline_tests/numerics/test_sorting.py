"""Sorting by digits against numpy's own sort."""

import numpy as np
import pytest

from engage_pipeline.numerics.sorting import argsort, argsort_hashes, places_in, taken, unique_places

ROWS = 3000
"""Above the number of keys that numpy sorts by itself."""
KEYS = {
    "all digits": np.random.default_rng(0).integers(0, 2**64, ROWS, np.uint64),
    "the lowest digit": np.random.default_rng(1).integers(0, 2**16, ROWS, np.uint64),
    "the second digit": np.random.default_rng(2).integers(0, 2**16, ROWS, np.uint64) << np.uint64(16),
    "the third digit": np.random.default_rng(3).integers(0, 2**16, ROWS, np.uint64) << np.uint64(32),
    "the highest digit": np.random.default_rng(4).integers(0, 2**16, ROWS, np.uint64) << np.uint64(48),
    "few keys, each many times": np.random.default_rng(5).choice(np.array([2**63, 1, 2**17, 2**40], np.uint64), ROWS),
    "one key": np.full(ROWS, 2**63, np.uint64),
    "fewer keys": np.random.default_rng(6).integers(0, 9, 100, np.uint64),
    "none": np.zeros(0, np.uint64),
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_the_order_is_the_stable_one(keys: np.ndarray) -> None:
    wanted = np.argsort(keys, kind="stable").tolist()
    assert argsort(keys).tolist() == wanted
    found = argsort_hashes(keys)
    assert keys[found].tolist() == sorted(keys.tolist())


def test_hashes_that_agree_in_their_upper_bits_are_ordered_by_all_of_them() -> None:
    keys = np.random.default_rng(7).integers(0, 2**64, ROWS, np.uint64)
    keys[:2] = np.array([5 << 32 | 9, 5 << 32 | 8], np.uint64)
    order = argsort_hashes(keys)
    assert order.tolist() == np.argsort(keys, kind="stable").tolist()


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_places_are_those_among_the_distinct_values(keys: np.ndarray) -> None:
    values = keys.view(np.int64)  # some are negative
    for found, wanted in zip(unique_places(values), np.unique(values, return_inverse=True), strict=True):
        assert found.tolist() == wanted.tolist()


def test_taken_values_are_those_at_the_places() -> None:
    values = np.array([10, 20, 30], np.uint16)
    found = taken(values, np.array([2, 0, 0, 1]))
    assert found.tolist() == [30, 10, 10, 20]
    assert found.dtype == np.uint16


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("signed", [False, True])
def test_keys_are_found_where_they_are_or_would_be(keys: np.ndarray, signed: bool) -> None:
    """Of known ones, some several times, and of others."""
    keys = keys.view(np.int64) if signed else keys
    known = np.sort(keys[::2])
    wanted = np.concatenate([keys, keys[:7] + keys.dtype.type(1)])
    assert places_in(known, wanted).tolist() == [int(np.count_nonzero(known < one)) for one in wanted]
