"""64-bit hashes of ids: the same for the same text in every window, file and run.

The dense numbers of the counters change when a part is added; a model that outlives its counters keeps fingerprints.
Among a billion ids, two share a fingerprint with a probability of 3 %; then they share their learned effects.
"""

import numpy as np
import pyarrow as pa

from engage_pipeline.numerics.splitmix import mix

NO_FINGERPRINT = 0
"""The fingerprint of a null, and of a combination with a null."""
_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_WORD = 2**64 - 1
_FEW = 8


def fingerprints(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Returns the mixed FNV-1a hash of each text's UTF-8 bytes, int64 [n]; NO_FINGERPRINT for nulls.

    Source: G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, "The FNV Non-Cryptographic Hash Algorithm".
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    array = texts.cast(pa.large_binary())
    if not len(array):
        return np.zeros(0, np.int64)
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    bytes_ = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    found = _mixed(_fnv(bytes_, ends[:-1], np.diff(ends)))
    return np.where(np.asarray(array.is_null()), NO_FINGERPRINT, found.view(np.int64))


def combined(*columns: np.ndarray) -> np.ndarray:
    """Combines fingerprints or integers, int64 [n] each, into one, int64 [n]; NO_FINGERPRINT if one of them is that."""
    result = np.full(columns[0].shape, _OFFSET, np.uint64)
    missing = np.zeros(columns[0].shape, np.bool_)
    for column in columns:
        missing |= column == NO_FINGERPRINT
        result = _mixed((result ^ column.astype(np.int64).view(np.uint64)) * _PRIME)
    return np.where(missing, NO_FINGERPRINT, result.view(np.int64))


def _fnv(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the FNV-1a hash of each text, uint64 [n], in time linear in the bytes.

    Step i hashes byte i of all texts that have one; the few longest texts are finished one by one, in fewer steps.
    """
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[order], lengths[order]
    hashes = np.full(len(starts), _OFFSET, np.uint64)
    together = int(lengths[_FEW]) if len(lengths) > _FEW else 0
    longer = np.searchsorted(-lengths, -np.arange(together))  # [together]: number of texts longer than i bytes
    for place, count in enumerate(longer.tolist()):
        hashes[:count] = (hashes[:count] ^ data[starts[:count] + place]) * _PRIME
    for index, (start, length) in enumerate(zip(starts[:_FEW].tolist(), lengths[:_FEW].tolist(), strict=True)):
        hashes[index] = _fnv_of(data[start + together : start + length].tobytes(), int(hashes[index]))
    result = np.empty_like(hashes)
    result[order] = hashes
    return result


def _fnv_of(text: bytes, value: int) -> int:
    """Continues the FNV-1a hash `value` with the bytes of `text`."""
    prime = int(_PRIME)
    for byte in text:
        value = (value ^ byte) * prime & _WORD
    return value


def _mixed(values: np.ndarray) -> np.ndarray:
    """Applies SplitMix64 to `values`; the result is never NO_FINGERPRINT."""
    mixed = mix(values)
    return np.where(mixed == NO_FINGERPRINT, np.uint64(1), mixed)
