"""Adds up the engagements of rows by group: the counters of a row travel together in words of 64 bits.

A sum of 16-bit counters in a word is right as long as no group has 65,536 rows; with more rows the counters have 32
bits. What does not belong here: which rows form a group (shards.counting, shards.leaving_out).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from engage_pipeline.numerics.sorting import argsort, taken
from engage_pipeline.schema import ENGAGEMENTS

Numbers = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
COUNTS = (*ENGAGEMENTS, "negative", "exposures")
NOT_COUNTED = np.uint8(1 << len(ENGAGEMENTS))
"""Labels of a row that only asks for counts."""
_NARROW, _WIDE = 16, 32


@dataclass(frozen=True)
class Packing:
    """How COUNTS are packed: `bits` a counter, as many counters in a word as fit."""

    bits: int

    @classmethod
    def of(cls, most: int) -> "Packing":
        """Returns the narrowest packing for groups of at most `most` rows."""
        return cls(_NARROW if most < 1 << _NARROW else _WIDE)

    @property
    def kind(self) -> type[np.unsignedinteger]:
        """The type of an unpacked counter."""
        return np.uint16 if self.bits == _NARROW else np.uint32

    @cached_property
    def of_labels(self) -> Numbers:
        """The words that a row with each value of labels adds, uint64 [words, 2 * NOT_COUNTED]."""
        labels = np.arange(2 * NOT_COUNTED, dtype=np.uint64)
        flags = [labels >> np.uint64(bit) & np.uint64(1) for bit in range(len(ENGAGEMENTS))]
        counters = np.array([*flags, labels == 0, np.ones(len(labels))], np.uint64)
        counters[:, NOT_COUNTED:] = 0
        words = np.zeros((-(-len(COUNTS) * self.bits // 64), len(labels)), np.uint64)
        for place, counter in enumerate(counters):
            word, first = divmod(place * self.bits, 64)
            words[word] |= counter << np.uint64(first)
        return words

    def words(self, labels: npt.NDArray[np.uint8]) -> list[Numbers]:
        """Returns the words of rows, uint64 [n] each."""
        return [taken(word, labels) for word in self.of_labels]

    def unpacked(self, words: list[Numbers]) -> npt.NDArray[np.unsignedinteger]:
        """Returns the counters of words [n] each: [COUNTS, n]."""
        return self.counters(np.stack(words, axis=1))

    def counters(self, words: Numbers) -> npt.NDArray[np.unsignedinteger]:
        """Returns the counters of words [n, words]: [COUNTS, n]."""
        counters = words.astype("<u8", copy=False).view(f"<u{self.bits // 8}")
        return np.ascontiguousarray(counters.T[: len(COUNTS)])


def sums(words: list[Numbers], starts: Positions) -> list[Numbers]:
    """Returns the sums of groups of neighbouring rows, which begin at `starts`."""
    return [np.add.reduceat(word, starts) for word in words] if len(starts) else [word[:0] for word in words]


def starts_of(*columns: npt.NDArray) -> Positions:
    """Returns the places at which one of the columns [n] changes, 0 among them if there is a row."""
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    changed = columns[0][1:] != columns[0][:-1]
    for column in columns[1:]:
        changed |= column[1:] != column[:-1]
    return np.append(0, np.flatnonzero(changed) + 1)


def lengths_of(starts: Positions, rows: int) -> Positions:
    """Returns the number of rows of each group."""
    return np.diff(starts, append=rows)


def numbered(starts: Positions, rows: int) -> npt.NDArray[np.int32]:
    """Returns the number of the group of each row, int32 [rows], from 0."""
    return np.repeat(np.arange(len(starts), dtype=np.int32), lengths_of(starts, rows))


def order_of(
    groups: npt.NDArray[np.int32], values: npt.NDArray, last: npt.NDArray[np.int32] | None = None
) -> Positions:
    """Returns the order by groups (from 0), then values (unsigned), then `last` (small numbers from 0).

    It sorts 64 bits: the upper bits of the values that fit; if two values of a group agree in these, all bits.
    """
    if not len(groups):
        return np.zeros(0, np.int64)
    upper = int(groups.max()).bit_length()
    lower = int(last.max()).bit_length() if last is not None else 0
    bits = 8 * values.dtype.itemsize
    kept = min(bits, 64 - upper - lower)
    key = values.astype(np.uint64) >> np.uint64(bits - kept)
    if lower and last is not None:
        key <<= np.uint64(lower)
        key |= last.astype(np.uint64)
    if upper:
        key |= groups.astype(np.uint64) << np.uint64(kept + lower)
    order = argsort(key)
    if kept < bits:
        key, values = taken(key, order) >> np.uint64(lower), taken(values, order)
        if ((key[1:] == key[:-1]) & (values[1:] != values[:-1])).any():
            by = (groups[order], values) if last is None else (groups[order], values, last[order])
            return order[np.lexsort(by[::-1])]
    return order
