"""SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): hashes of 64-bit numbers."""

import numpy as np
from numpy.typing import NDArray

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""The step between the states of two successive outputs."""
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function, uint64 of the shape of `state`: each bit of a state changes about half of the bits."""
    state = (state ^ (state >> np.uint64(30))) * _FACTORS[0]
    state = (state ^ (state >> np.uint64(27))) * _FACTORS[1]
    return state ^ (state >> np.uint64(31))
