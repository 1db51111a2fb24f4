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


def lasting_normals(salt: int, keys: Integers, width: int) -> Floats:
    """Returns standard normals (n, width), the same for a key wherever it occurs: hashes of key and `salt`.

    `keys` are at least 0 and below 2 ** 63 / width.
    """
    counters: Integers = keys[:, None] * width + np.arange(width)
    bits = _mixed(_mixed(counters.astype(np.uint64)) + np.uint64(salt))
    radius = np.sqrt(-2.0 * np.log(((bits >> np.uint64(32)).astype(float) + 0.5) / 2**32))
    normals: Floats = radius * np.cos((bits & np.uint64(2**32 - 1)).astype(float) * (2 * np.pi / 2**32))
    return normals


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64: a bijection of 64 bits in which each bit of the result depends on all bits."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def weighted_ranks(score: Floats, weight: Floats) -> Floats:
    """Returns for each element the share of the whole weight below it and in half of itself, by ascending score."""
    order = np.argsort(score, kind="stable")
    carried = np.cumsum(weight[order])
    ranks = np.empty(score.size)
    ranks[order] = (carried - weight[order] / 2) / max(carried[-1], 1e-12)
    return ranks


def sigmoid(x: Floats) -> Floats:
    """Returns the logistic function."""
    return 1 / (1 + np.exp(-x))
