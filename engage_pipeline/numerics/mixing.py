"""What fasthash64 multiplies and mixes words by. Source: Z. Tan, "fast-hash" (2012)."""

import numpy as np
import numpy.typing as npt

FACTOR, MIX = np.uint64(0x880355F21E6D1965), np.uint64(0x2127599BF4325C37)


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Returns words whose bits are mixed, uint64 [n]; in compiled loops, of one word."""
    values = (values ^ (values >> np.uint64(23))) * MIX
    return values ^ (values >> np.uint64(47))
