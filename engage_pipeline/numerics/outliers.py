"""Finds the things that differ from the rest, one at a time, so that an outlier does not distort the rest."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Kept = NDArray[np.bool_]
"""Which things are still compared with each other, bool [n]."""


def outliers(count: int, excess: Callable[[Kept], NDArray[np.float64]], *, least: int = 1) -> tuple[list[int], Kept]:
    """Returns which of the things 0 … `count` - 1 differ, the most different first, and the others, bool [count].

    `excess` returns, for each kept thing in order, by how much it exceeds the tolerated distance from the other kept
    ones (positive = it differs). The most different thing is removed before the others are compared again. Of ties the
    last is removed, since parts come in order. At the `least` others no more is removed.
    """
    kept = np.ones(count, dtype=np.bool_)
    taken: list[int] = []
    while np.count_nonzero(kept) > max(1, least):
        found = excess(kept)
        worst = len(found) - 1 - int(np.argmax(found[::-1]))
        if found[worst] <= 0:
            break
        taken.append(int(np.flatnonzero(kept)[worst]))
        kept[taken[-1]] = False
    return taken, kept
