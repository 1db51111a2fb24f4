"""Looks for a number in a range of numbers that rise, within loops compiled by numba."""

import numpy as np

from engage_pipeline.numerics.compilation import compiled_within


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
