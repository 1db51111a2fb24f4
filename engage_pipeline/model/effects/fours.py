"""Four numbers of a row of an array, one for each engagement, compiled into the loops (kernels, children).

What does not belong here: the loops.
"""

import numpy as np

from engage_pipeline.model.effects.lanes import Four
from engage_pipeline.numerics.compilation import compiled_within

_inner = compiled_within(error_model="numpy")


@_inner
def four_of(values: np.ndarray, row: int, first: int = 0) -> Four:
    """Returns the numbers from place `first` of a row on."""
    return values[row, first], values[row, first + 1], values[row, first + 2], values[row, first + 3]


@_inner
def add_to(values: np.ndarray, row: int, more: Four, first: int = 0) -> None:
    """Adds to the numbers from place `first` on: all are read before one is written, to share an instruction."""
    before = four_of(values, row, first)
    values[row, first] = before[0] + more[0]
    values[row, first + 1] = before[1] + more[1]
    values[row, first + 2] = before[2] + more[2]
    values[row, first + 3] = before[3] + more[3]


@_inner
def write_to(values: np.ndarray, row: int, four: Four, first: int = 0) -> None:
    """Writes the numbers from place `first` on."""
    values[row, first], values[row, first + 1], values[row, first + 2], values[row, first + 3] = four


@_inner
def total_of(one: Four, other: Four) -> Four:
    """Returns one + other."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


@_inner
def product_of(one: Four, other: Four) -> Four:
    """Returns one * other."""
    return one[0] * other[0], one[1] * other[1], one[2] * other[2], one[3] * other[3]


@_inner
def times(factor: float, four: Four) -> Four:
    """Returns factor * four."""
    return factor * four[0], factor * four[1], factor * four[2], factor * four[3]


@_inner
def wide_of(values: np.ndarray, row: int, first: int = 0) -> Four:
    """Returns the numbers from place `first` on as float64."""
    a, b, c, d = four_of(values, row, first)
    return np.float64(a), np.float64(b), np.float64(c), np.float64(d)
