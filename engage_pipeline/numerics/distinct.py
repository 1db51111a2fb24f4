"""Distinct keys and rows, numbered in the order in which they first occur, by a hash table."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.numerics.compilation import compiled, prefetch
from engage_pipeline.numerics.splitmix import GOLDEN_GAMMA

Keys = npt.NDArray[np.uint64]
_FREE = -1
_NO_KEY = (1 << 64) - 1
_LEAST_BITS = 10
_AHEAD = 16


class Distinct:
    """Distinct keys, with numbers from 0 on; those that occur first have the lowest.

    An open hash table with linear probing, at most half full (D. Knuth, The Art of Computer Programming 3, 1998,
    algorithm 6.4 L); a key's place is the upper bits of its product with an odd number. It takes 16 to 32 bytes a key.
    """

    def __init__(self, first: int) -> None:
        """Begins with the key `first`, whose number is 0."""
        self._keys, self._size = np.zeros(0, np.uint64), 0
        self._places = np.zeros(0, np.int32)
        self.numbers(np.array([first], np.uint64))

    def __len__(self) -> int:
        """Returns how many keys there are."""
        return self._size

    @property
    def keys(self) -> Keys:
        """The keys in the order of their numbers, uint64 [len]."""
        return self._keys[: self._size]

    def numbers(self, keys: Keys) -> npt.NDArray[np.int32]:
        """Returns the number of each key, int32 [n]; those that are new get the next ones."""
        self._make_room(self._size + len(keys))
        found = np.empty(len(keys), np.int32)
        self._size = _number(np.ascontiguousarray(keys), self._keys, self._size, self._places, found)
        return found

    def _make_room(self, most: int) -> None:
        """Makes place for so many keys."""
        if most > len(self._keys):
            self._keys = np.concatenate([self.keys, np.empty(max(most, 2 * self._size) - self._size, np.uint64)])
        bits = max((2 * most - 1).bit_length(), _LEAST_BITS)
        if 1 << bits > len(self._places):
            self._places = np.full(1 << bits, _FREE, np.int32)
            _number(self.keys.copy(), self._keys, 0, self._places, np.empty(self._size, np.int32))


def distinct_rows(table: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns where each distinct row of `table` first is, int64 [distinct], and the number of each row among them,
    int64 [n]. Nulls are equal."""
    numbers = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        found = column.combine_chunks().dictionary_encode("encode")
        keys = numbers * len(found.dictionary) + found.indices.to_numpy()  # below n^2
        numbers = Distinct(_NO_KEY).numbers(keys.view(np.uint64)).astype(np.int64) - 1
    return np.flatnonzero(np.diff(np.maximum.accumulate(numbers), prepend=-1)), numbers


@compiled()
def _number(keys: Keys, known: Keys, size: int, places: np.ndarray, numbers: np.ndarray) -> int:
    """Writes `numbers`; `known` has `size` keys, and room for all. Returns how many there are then."""
    shift, last = np.uint64(64), np.uint64(len(places) - 1)
    while np.uint64(1) << (np.uint64(64) - shift) < np.uint64(len(places)):
        shift -= np.uint64(1)
    for row in range(len(keys)):
        key, ahead = keys[row], keys[min(row + _AHEAD, len(keys) - 1)]
        prefetch(places, np.intp(ahead * GOLDEN_GAMMA >> shift))
        place = key * GOLDEN_GAMMA >> shift
        while places[place] != _FREE and known[places[place]] != key:
            place = (place + np.uint64(1)) & last
        if places[place] == _FREE:
            places[place], known[size] = size, key
            size += 1
        numbers[row] = places[place]
    return size
