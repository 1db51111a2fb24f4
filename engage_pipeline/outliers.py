"""Which of several things differ from the rest, where one that differs would spoil the rest for the others."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Kept = NDArray[np.bool_]
"""Shape [n]: which of the things make up the rest, the one that is looked at among them."""


def outliers(count: int, excess: Callable[[Kept], NDArray[np.float64]]) -> Iterator[tuple[int, Kept]]:
    """The things 0 … `count` - 1 that differ, the most different first, each with the rest that it was held against.

    `excess` tells of each kept thing, in order, how far beyond what is tolerated it lies from the other kept ones
    (positive = differs). What differs is taken out before the others are held against the rest. Of two that are equally
    far from each other the last is taken, since parts come in order.
    """
    kept = np.ones(count, dtype=np.bool_)
    while np.count_nonzero(kept) >= 2:
        found = excess(kept)
        worst = len(found) - 1 - int(np.argmax(found[::-1]))
        if found[worst] <= 0:
            return
        index = int(np.flatnonzero(kept)[worst])
        yield index, kept.copy()
        kept[index] = False
