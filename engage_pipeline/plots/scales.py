"""Scales, ticks, and how the numbers beside an axis are written."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Show = Callable[[float], str]
_MARGIN = 0.04
"""Empty share of a scale on either side of the data."""


@dataclass(frozen=True)
class Scale:
    """Maps the values from `low` to `high` to pixels from `start` to `end`, evenly or by their logarithm."""

    low: float
    high: float
    logarithmic: bool
    start: float
    end: float

    def __call__(self, values: ArrayLike) -> NDArray[np.float64]:
        """Returns the pixels of values, of the same shape; NaN where there is none, such as the logarithm of 0."""
        numbers = np.asarray(values, np.float64)
        low, high = self.low, self.high
        if self.logarithmic:
            numbers, low, high = np.log(np.where(numbers > 0, numbers, np.nan)), math.log(low), math.log(high)
        return self.start + (numbers - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int, *, whole: bool = False) -> list[float]:
        """Returns at most `most` round values in order, at least two of them unless they are to be `whole`."""
        if self.logarithmic:
            return _logarithmic_ticks(self.low, self.high, most)
        return _even_ticks(self.low, self.high, most, whole=whole)


def limits(values: Iterable[float], *, logarithmic: bool, edge: float | None = None) -> tuple[float, float]:
    """Returns the lowest and highest value with a margin, which `edge` (the foot of bars) does without."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not logarithmic)]
    low, high = (min(known), max(known)) if known else (1.0, 1.0)
    if logarithmic:
        factor = (high / low) ** _MARGIN if high > low else 2.0
        return low / factor, high * factor
    if low == high:
        low, high = sorted((0.0, low or 1.0))
    margin = _MARGIN * (high - low)
    return low if low == edge else low - margin, high if high == edge else high + margin


def _even_ticks(low: float, high: float, most: int, *, whole: bool) -> list[float]:
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    steps = [max(1.0, power * factor) if whole else power * factor for factor in (1, 2, 5, 10, 20)]
    for step in steps:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [place * step for place in range(first, last + 1)]


def _logarithmic_ticks(low: float, high: float, most: int) -> list[float]:
    """Returns 1, 2 and 5 times powers of ten, else powers of ten alone, some left out if there are too many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for factors in ((1, 2, 5), (1,)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) <= most:
            break
    found = found[:: max(1, -(-len(found) // most))]
    return found if len(found) > 1 else _even_ticks(low, high, most, whole=False)


def plain_number(value: float) -> str:
    """Formats 0.05 as such."""
    return f"{value:.10g}"


def percent(value: float) -> str:
    """Formats the share 0.05 as 5 %, with as many digits as necessary."""
    return f"{100 * value:.10g} %"


def short_count(value: float) -> str:
    """Formats 1500 as 1.5k, 3000000 as 3M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.10g}{unit}"
    return plain_number(value)
