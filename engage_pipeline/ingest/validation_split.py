"""Which rows of the validation part are held out, and which chunk the others belong to."""

import numpy as np
import numpy.typing as npt

from engage_pipeline.numerics.splitmix import GOLDEN_GAMMA, mix
from engage_pipeline.schema import HOLDOUT

_BLOCK_LINES = 1 << 20


def validation_split(lines: int, *, seed: int, holdout_share: float, chunks: int) -> npt.NDArray[np.int32]:
    """Per line number: HOLDOUT with probability `holdout_share`, else a chunk 0 … `chunks` - 1, all equally likely.

    A hash of (seed, line number), so that a line keeps its place however many lines follow. Shape (lines,), int32.
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
