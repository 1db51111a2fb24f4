"""Which of several things differ from the rest, where one that differs would spoil the rest for the others."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Kept = NDArray[np.bool_]
"""Shape [n]: which of the things are still held against each other."""


def outliers(count: int, excess: Callable[[Kept], NDArray[np.float64]]) -> tuple[list[int], Kept]:
    """The things 0 … `count` - 1 that differ, the most different first, and the rest: those that don't.

    `excess` tells of each kept thing, in order, how far beyond what is tolerated it lies from the other kept ones
    (positive = differs). What differs is taken out before the others are held against the rest. Of two that are equally
    far from each other the last is taken, since parts come in order.
    """
    kept = np.ones(count, dtype=np.bool_)
    taken: list[int] = []
    while np.count_nonzero(kept) >= 2:
        found = excess(kept)
        worst = len(found) - 1 - int(np.argmax(found[::-1]))
        if found[worst] <= 0:
            break
        taken.append(int(np.flatnonzero(kept)[worst]))
        kept[taken[-1]] = False
    return taken, kept
