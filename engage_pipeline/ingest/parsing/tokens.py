"""Parses the token ids of a column of texts.

The last 4 digits of a number are read together, as one 32-bit integer, by two multiplications (D. Lemire: Quickly
parsing eight digits, 2018), and so are the 2 digits before them. Rows with anything but plain numbers of at most 6
digits are read one by one.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.ingest.parsing.values import Flags, bytes_of, strict_integer
from engage_pipeline.numerics.token_bytes import Offsets, token_columns
from engage_pipeline.schema import FIELD_SEPARATOR, LIST_SEPARATOR, VOCABULARY_SIZE

Ids = npt.NDArray[np.int32]
_ROWS_AT_ONCE = 2048
"""Small enough that intermediate arrays stay in the CPU cache."""
_MOST_DIGITS, _WORD = 6, 8
_LOW_MASKS = np.array([0, 0x0F000000, 0x0F0F0000, 0x0F0F0F00, 0x0F0F0F0F, 0x0F0F0F0F, 0x0F0F0F0F], np.uint32)
"""By number of digits: the bits of the digits in the 4 bytes before the number's end, first byte lowest."""
_HIGH_MASKS = np.array([0, 0, 0, 0, 0, 0x0F00, 0x0F0F], np.uint16)
"""By number of digits: the bits of the digits in the 2 bytes before those."""


def read_tokens(texts: pa.StringArray) -> tuple[pa.BinaryArray, pa.BinaryArray, Flags]:
    """Returns the ids in each text as the columns of token_bytes, (n,) each, and which texts are bad, bool (n,).

    Each text of `texts` ends with the FIELD_SEPARATOR. A text is bad unless it is tab-separated integers from 0 to
    VOCABULARY_SIZE - 1. Bad and missing texts have no ids.
    """
    counts = np.zeros(len(texts), np.int64)
    bad = np.zeros(len(texts), np.bool_)
    pieces = [np.empty(0, np.int32)]
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        some = texts.slice(start, _ROWS_AT_ONCE)
        rows = start + np.flatnonzero(some.is_valid().to_numpy(zero_copy_only=False))
        ids, counts[rows], bad[rows] = _read(some.drop_null() if some.null_count else some)
        pieces.append(ids)
    low, high = token_columns(np.append(0, np.cumsum(counts)), np.concatenate(pieces))
    return low, high, bad


def _read(texts: pa.StringArray) -> tuple[Ids, Offsets, Flags]:
    """Returns the ids of all texts, of which none is missing, the number of each text's ids, and which are bad."""
    ids, counts, odd = _plain(texts)
    bad = odd.copy()
    if odd.any():
        rows = np.split(ids, np.cumsum(counts)[:-1])
        for index in np.flatnonzero(odd).tolist():
            strict = strict_token_ids(texts[index].as_py()[:-1])
            rows[index], bad[index] = np.array(strict or [], np.int32), strict is None
        ids, counts = np.concatenate(rows), np.array([len(row) for row in rows])
    return ids, counts, bad


def strict_token_ids(text: str) -> list[int] | None:
    """The token ids that `text` holds; None where one is none of the vocabulary."""
    ids = [number for one in text.split(LIST_SEPARATOR) if (number := strict_integer(one)) is not None]
    whole = len(ids) == text.count(LIST_SEPARATOR) + 1
    return ids if whole and all(0 <= one < VOCABULARY_SIZE for one in ids) else None


def _plain(texts: pa.StringArray) -> tuple[Ids, Offsets, Flags]:
    """Returns what `_read` does, but which texts are not plain instead: the ids of those are meaningless."""
    bounds, data = bytes_of(texts)
    behind = np.flatnonzero(data < ord("0"))
    lengths = behind.copy()
    lengths[1:] -= behind[:-1] + 1
    ids = _numbers(data, behind, lengths)
    stops = np.searchsorted(behind, bounds[1:])
    odd = np.zeros(len(texts), dtype=np.bool_)
    if lengths.min(initial=1) < 1 or lengths.max(initial=1) > _MOST_DIGITS or ids.max(initial=0) >= VOCABULARY_SIZE:
        wrong = (lengths < 1) | (lengths > _MOST_DIGITS) | (ids >= VOCABULARY_SIZE)
        odd[np.searchsorted(stops, np.flatnonzero(wrong), side="right")] = True
    if len(behind) != len(texts) + np.count_nonzero(data == ord(LIST_SEPARATOR)) or data.max(initial=0) > ord("9"):
        plain = (data >= ord("0")) & (data <= ord("9")) | (data == ord(LIST_SEPARATOR)) | (data == ord(FIELD_SEPARATOR))
        odd[np.searchsorted(bounds, np.flatnonzero(~plain), side="right") - 1] = True
    return ids, np.diff(stops, prepend=0), odd


def _numbers(data: npt.NDArray[np.uint8], behind: Offsets, lengths: Offsets) -> Ids:
    """Returns the numbers, at most 6 digits each, that end before the positions `behind`: int32 (numbers,)."""
    padded = np.empty(len(data) + _WORD, dtype=np.uint8)
    padded[:_WORD], padded[_WORD:] = 0, data
    words = np.ndarray((len(data) + 1,), "<u8", padded, strides=(1,)).take(behind, mode="clip")
    low = words.view("<u4")[1::2] & _LOW_MASKS.take(lengths, mode="clip")
    low *= np.uint32(1 + (10 << 8))
    low >>= np.uint32(8)
    low &= np.uint32(0x00FF00FF)
    low *= np.uint32(1 + (100 << 16))
    low >>= np.uint32(16)
    high = words.view("<u2")[1::4] & _HIGH_MASKS.take(lengths, mode="clip")
    high *= np.uint16(1 + (10 << 8))
    high >>= np.uint16(8)
    numbers = high.astype(np.uint32)
    numbers *= np.uint32(10_000)
    numbers += low
    return numbers.view(np.int32)
