"""Looks for numbers in ranges of numbers that rise, in loops compiled by numba."""

import numpy as np

from engage_pipeline.numerics.compilation import compiled, compiled_within


@compiled()
def find_in_ranges(keys: np.ndarray, ends: np.ndarray, ranges: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns where each of `wanted` uint64 [n] is in `keys` uint64, int64 [n]: in the range of `ranges` int64 [n].

    Range i begins where the one before ends, and ends before `ends`[i]; its keys rise. -1 if it is not there.
    """
    found = np.empty(len(wanted), np.int64)
    for number in range(len(wanted)):
        one = ranges[number]
        found[number] = place_of(wanted[number], keys, ends[one - 1] if one else 0, ends[one])
    return found


@compiled_within()
def place_of(wanted: int, keys: np.ndarray, low: int, high: int) -> int:
    """Returns where `wanted` is in `keys` [low:high], which rise; -1 if it is not there."""
    end = high
    while low < high:
        middle = (low + high) >> 1
        if keys[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < end and keys[low] == wanted else -1
