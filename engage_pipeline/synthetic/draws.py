"""Random draws that several modules share: ids, weighted choices, shares that come out exactly."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
ID_CHARACTERS = 32


def random_ids(rng: np.random.Generator, count: int) -> pa.Array:
    """`count` distinct ids of 32 upper-case hexadecimal characters (128 random bits each), as large_string."""
    data = rng.bytes(count * ID_CHARACTERS // 2).hex().upper().encode()
    offsets = np.arange(count + 1, dtype=np.int64) * ID_CHARACTERS
    return pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data))


def cumulative(weights: Floats) -> Floats:
    """Running sum of weights with a leading 0, for `choose`."""
    return np.concatenate([[0.0], np.cumsum(weights)])


def choose(rng: np.random.Generator, running: Floats, low: Integers, high: Integers) -> Integers:
    """One index in [low, high) for each pair of bounds, with the probabilities that `running` accumulates."""
    position = running[low] + rng.random(low.size) * (running[high] - running[low])
    return np.clip(np.searchsorted(running, position, side="right") - 1, low, high - 1)


def zipf(count: int, shift: float, exponent: float) -> Floats:
    """`count` probabilities that fall like 1 / (rank + shift) ** exponent."""
    weights = (np.arange(count, dtype=float) + shift) ** -exponent
    return weights / weights.sum()


def skewed(rng: np.random.Generator, counts: Integers, skew: float) -> Integers:
    """An index in [0, count) for each count, low ones more often the larger `skew` is."""
    return (counts * rng.random(counts.size) ** skew).astype(np.int64)


def skewed_below(rng: np.random.Generator, count: int, size: int, skew: float) -> Integers:
    """`size` indices in [0, count), low ones more often the larger `skew` is."""
    return skewed(rng, np.full(size, count), skew)


def top_share(score: Floats, weight: Floats, share: float) -> Flags:
    """The highest scores, as many as carry `share` of the whole weight."""
    order = np.argsort(-score, kind="stable")
    carried = np.cumsum(weight[order])
    flags = np.zeros(score.size, dtype=bool)
    flags[order[: np.searchsorted(carried, share * carried[-1])]] = True
    return flags


def one_per(rng: np.random.Generator, keys: Integers, width: int) -> tuple[Floats, Integers]:
    """Standard normal draws (n, width) shared by the rows of equal key, and each row's position among distinct keys."""
    distinct, position = np.unique(keys, return_inverse=True)
    return rng.standard_normal((distinct.size, width)), position
