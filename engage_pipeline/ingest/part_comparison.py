"""Differences between training parts: duplicate content and unusual label rates.

What belongs here: decisions on figures of the manifests. What does not: where the figures come from.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.numerics.outliers import Kept, outliers

SURE_OF_A_SHIFT = 5.0
"""A rate differs beyond this many standard errors; chance does that once in two million comparisons."""


@dataclass(frozen=True)
class Rate:
    """Rates of one engagement in a part and in the other parts, and `z`, their difference in standard errors."""

    part: float
    rest: float
    z: float

    @property
    def change(self) -> float:
        """The relative increase from the smaller to the larger rate, 0 or more."""
        low, high = sorted((self.part, self.rest))
        return high / low - 1 if low else float("inf") if high else 0.0


def same_content(marks: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Maps each part to the first earlier part that shares a mark (a file's SHA-256) with it."""
    owners: dict[str, str] = {}
    found = {}
    for part, own in marks.items():
        earlier = sorted({owners[mark] for mark in own if mark in owners})
        if earlier:
            found[part] = earlier[0]
        for mark in own:
            owners.setdefault(mark, part)
    return found


def rate_shifts(
    rows: Mapping[str, int], positives: Mapping[str, Mapping[str, int]], change: float
) -> dict[str, dict[str, Rate]]:
    """Returns the parts with an unusual engagement rate, and these rates by engagement.

    A rate is unusual if it differs from that of the usual parts by more than the share `change` and by more than
    SURE_OF_A_SHIFT standard errors.
    """
    parts = [part for part in rows if rows[part] > 0]
    names = list(next(iter(positives.values()), {}))
    n = np.array([[rows[part]] for part in parts], dtype=np.float64)
    k = np.array([[positives[part][name] for name in names] for part in parts], dtype=np.float64)

    def beyond(rate: Rate) -> float:
        return min(abs(rate.z) - SURE_OF_A_SHIFT, rate.change - change)

    def excess(kept: Kept) -> NDArray[np.float64]:
        own, count = k[kept], n[kept]
        rates = _rates(own, count, own.sum(axis=0) - own, count.sum() - count)
        return np.array([max(map(beyond, row), default=-1.0) for row in rates])

    taken, rest = outliers(len(parts), excess)
    shifts = {}
    for place in taken:
        (row,) = _rates(k[[place]], n[[place]], k[rest].sum(axis=0), n[rest].sum())
        shifts[parts[place]] = {name: rate for name, rate in zip(names, row, strict=True) if beyond(rate) > 0}
    return {part: rates for part, rates in shifts.items() if rates}


def _rates(
    k: NDArray[np.float64], n: NDArray[np.float64], k_rest: NDArray[np.float64], n_rest: NDArray[np.float64]
) -> list[list[Rate]]:
    """Runs the two-proportion z test with the pooled rate; k, k_rest [parts, engagements], n, n_rest [parts, 1]."""
    pooled = (k + k_rest) / (n + n_rest)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_rest))
    difference = k / n - k_rest / n_rest
    z = np.divide(difference, error, out=np.zeros_like(difference), where=error > 0)
    values = np.stack(np.broadcast_arrays(k / n, k_rest / n_rest, z), axis=-1)
    return [[Rate(*map(float, one)) for one in row] for row in values]
