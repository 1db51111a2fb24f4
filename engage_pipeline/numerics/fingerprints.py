"""64-bit hashes of ids: the same for the same text in every window, file and run.

Counters, communities and models keep fingerprints instead of ids. Among a billion ids, two share a fingerprint with a
probability of 3 %; the counters tell them apart by a second, short hash (`checks`).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.numerics.mixing import FACTOR, MIX, mixed
from engage_pipeline.numerics.sorting import taken

NO_FINGERPRINT = 0
"""The fingerprint of a null, and of a combination with a null."""
CHECK_SEED = 1
"""The seed of the second hash."""
_WORD = 8
_BITS = (1 << 64) - 1
_KEPT_TEXTS = 4096

Hashes = npt.NDArray[np.uint64]


def fingerprints(texts: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> npt.NDArray[np.int64]:
    """Returns the hash of each text, int64 [n]; NO_FINGERPRINT for nulls, which is no text's hash.

    A list of texts is hashed one by one, which is faster for a few, among which some recur from call to call.
    """
    if isinstance(texts, list):
        return np.array([fingerprint_of(text) for text in texts], np.uint64).view(np.int64)
    return hashes(texts).view(np.int64)


def hashes(texts: pa.Array | pa.ChunkedArray, seed: int = 0) -> Hashes:
    """Returns fasthash64 of each text's UTF-8 bytes, uint64 [n]; NO_FINGERPRINT for nulls, and 1 instead of it.

    Of dictionaries each distinct text is hashed once.
    """
    from engage_pipeline.numerics.fasthash import fasthash64  # numba, which the definitions do without

    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if not len(texts):
        return np.zeros(0, np.uint64)
    if pa.types.is_dictionary(texts.type):
        distinct = np.append(hashes(texts.dictionary, seed), np.uint64(NO_FINGERPRINT))
        return taken(distinct, texts.indices.fill_null(len(texts.dictionary)).to_numpy())
    short = texts.type == pa.string()
    array = texts if short else texts.cast(pa.large_binary())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int32 if short else np.int64)[array.offset : array.offset + len(array) + 1]
    found = fasthash64(np.frombuffer(data or b"", np.uint8), ends.astype(np.int64), seed)
    if array.null_count:
        found[np.asarray(array.is_null())] = NO_FINGERPRINT
    return found


def checks(texts: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.uint16]:
    """Returns 16 bits of a second hash of each text, uint16 [n]: texts with one fingerprint differ in it as a rule."""
    return (hashes(texts, CHECK_SEED) >> np.uint64(48)).astype(np.uint16)


@lru_cache(maxsize=_KEPT_TEXTS)
def fingerprint_of(text: str | None, seed: int = 0) -> int:
    """Returns the hash of one text, as `hashes` does."""
    if text is None:
        return NO_FINGERPRINT
    data = text.encode()
    factor = int(FACTOR)
    found = seed ^ (len(data) * factor & _BITS)
    for start in range(0, len(data), _WORD):
        found = (found ^ _mixed_int(int.from_bytes(data[start : start + _WORD], "little"))) * factor & _BITS
    return _mixed_int(found) or 1


def check_of(text: str | None) -> int:
    """Returns the check of one text, as `checks` does."""
    return fingerprint_of(text, CHECK_SEED) >> 48


def combined(*columns: np.ndarray) -> np.ndarray:
    """Combines fingerprints or integers, int64 [n] each, into one, int64 [n]; NO_FINGERPRINT if one of them is that."""
    result = np.full(columns[0].shape, FACTOR, np.uint64)
    missing = np.zeros(columns[0].shape, np.bool_)
    for column in columns:
        missing |= column == NO_FINGERPRINT
        result = mixed((result ^ column.astype(np.int64).view(np.uint64)) * FACTOR)
    result[result == NO_FINGERPRINT] = 1
    return np.where(missing, NO_FINGERPRINT, result.view(np.int64))


def _mixed_int(value: int) -> int:
    value = (value ^ (value >> 23)) * int(MIX) & _BITS
    return value ^ (value >> 47)
