"""fasthash64 of many texts, in a loop compiled by numba: each text is read once, and nothing else is held.

Source: Z. Tan, "fast-hash" (2012): the bytes are read as little-endian words of 8; the last one is padded.
"""

import numpy as np
import numpy.typing as npt

from engage_pipeline.numerics.compilation import compiled, compiled_within
from engage_pipeline.numerics.mixing import FACTOR, mixed

_mixed = compiled_within()(mixed)
_WORD, _BITS_A_BYTE = 8, 8


def fasthash64(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint64]:
    """Returns the hash of each text, uint64 [n], and 1 instead of 0.

    Text i is `data` from `ends` [n + 1] [i] to [i + 1].
    """
    if len(data) <= _WORD:  # one word or none would be another type of array, to be compiled for
        data = np.append(data, np.zeros(2 * _WORD, np.uint8))
    words = np.ndarray((len(data) - _WORD + 1,), "<u8", data, strides=(1,))
    for array in (data, words, ends):
        array.flags.writeable = False
    return _hashes(data, words, ends, np.uint64(seed))


@compiled()
def _hashes(data: np.ndarray, words: np.ndarray, ends: np.ndarray, seed: np.uint64) -> np.ndarray:
    """`words` uint64 are the 8 bytes from each byte of `data` on, as long as there are 8."""
    found = np.empty(len(ends) - 1, np.uint64)
    for number in range(len(found)):
        place, end = ends[number], ends[number + 1]
        one = seed ^ (np.uint64(end - place) * FACTOR)
        while end - place >= _WORD:
            one = (one ^ _mixed(words[place])) * FACTOR
            place += _WORD
        if place < end:
            tail = np.uint64(0)
            for byte in range(end - place):
                tail |= np.uint64(data[place + byte]) << np.uint64(byte * _BITS_A_BYTE)
            one = (one ^ _mixed(tail)) * FACTOR
        found[number] = max(_mixed(one), np.uint64(1))
    return found
