"""Splits the validation part: which rows are held out, and to which chunk each other row belongs."""

import numpy as np
import numpy.typing as npt

from engage_pipeline.numerics.splitmix import GOLDEN_GAMMA, mix
from engage_pipeline.schema import HOLDOUT

_BLOCK_LINES = 1 << 20


def validation_split(lines: int, *, seed: int, holdout_share: float, chunks: int) -> npt.NDArray[np.int32]:
    """Returns the place of each line, int32 (lines,): HOLDOUT or a chunk.

    A line is HOLDOUT with probability `holdout_share`, else in a chunk 0 … `chunks` - 1, all equally likely. The place
    is a hash of (seed, line number), so it does not depend on the lines that follow.
    """
    key = mix(np.array([seed], dtype=np.uint64) * GOLDEN_GAMMA)
    split = np.empty(lines, dtype=np.int32)
    for start in range(0, lines, _BLOCK_LINES):
        numbers = np.arange(start, min(start + _BLOCK_LINES, lines), dtype=np.uint64)
        place = mix(key + (numbers + np.uint64(1)) * GOLDEN_GAMMA)
        heldout = (place >> np.uint64(11)) * 2.0**-53 < holdout_share
        chunk = (mix(place) % np.uint64(chunks)).astype(np.int32)
        split[start : start + _BLOCK_LINES] = np.where(heldout, HOLDOUT, chunk)
    return split
