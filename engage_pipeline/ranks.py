"""Counts from the largest on, thinned out: a long tail in few numbers."""

import numpy as np
import numpy.typing as npt


def ranked(counts: npt.NDArray[np.int64], points: int = 60) -> list[tuple[int, int]]:
    """Rank (from 1, the largest) and count at so many ranks at most, evenly spread on a logarithmic scale from the
    first to the last."""
    ordered = np.sort(counts)[::-1]
    ranks = np.unique(np.geomspace(1, max(len(ordered), 1), points).round().astype(int))
    return [(int(rank), int(ordered[rank - 1])) for rank in ranks if rank <= len(ordered)]
