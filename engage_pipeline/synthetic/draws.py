"""Random draws that several modules share: ids, weighted choices, exact shares."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
ID_CHARACTERS = 32


def random_ids(rng: np.random.Generator, count: int) -> pa.Array:
    """Draws `count` distinct ids of 32 upper-case hexadecimal characters (128 random bits each), as large_string."""
    data = rng.bytes(count * ID_CHARACTERS // 2).hex().upper().encode()
    offsets = np.arange(count + 1, dtype=np.int64) * ID_CHARACTERS
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))


def cumulative(weights: Floats) -> Floats:
    """Returns the running sum of weights with a leading 0, for `choose`: [n + 1]."""
    return np.concatenate([[0.0], np.cumsum(weights)])


def choose(rng: np.random.Generator, running: Floats, low: Integers, high: Integers) -> Integers:
    """Draws one index in [low, high) for each pair of bounds, with the weights whose running sum is `running`."""
    position = running[low] + rng.random(low.size) * (running[high] - running[low])
    return np.clip(np.searchsorted(running, position, side="right") - 1, low, high - 1)


def zipf(count: int, shift: float, exponent: float) -> Floats:
    """Returns `count` probabilities proportional to 1 / (rank + shift) ** exponent."""
    weights = (np.arange(count, dtype=float) + shift) ** -exponent
    return weights / weights.sum()


def skewed(rng: np.random.Generator, counts: Integers, skew: float) -> Integers:
    """Draws an index in [0, count) for each count; the larger `skew`, the more low ones."""
    return (counts * rng.random(counts.size) ** skew).astype(np.int64)


def skewed_below(rng: np.random.Generator, count: int, size: int, skew: float) -> Integers:
    """Draws `size` indices in [0, count); the larger `skew`, the more low ones."""
    return skewed(rng, np.full(size, count), skew)


def top_share(score: Floats, weight: Floats, share: float) -> Flags:
    """Flags the highest scores that together carry `share` of the whole weight: bool [n]."""
    order = np.argsort(-score, kind="stable")
    carried = np.cumsum(weight[order])
    flags = np.zeros(score.size, dtype=bool)
    flags[order[: np.searchsorted(carried, share * carried[-1])]] = True
    return flags


def one_per(rng: np.random.Generator, keys: Integers, width: int) -> tuple[Floats, Integers]:
    """Draws standard normals [distinct keys, width], one per distinct key; also returns each row's index into them."""
    distinct, position = np.unique(keys, return_inverse=True)
    return rng.standard_normal((distinct.size, width)), position
