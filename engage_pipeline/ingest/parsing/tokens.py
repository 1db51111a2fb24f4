"""Parses the token ids of a column of texts.

The digits of a number are read together, in one 64-bit word, by three multiplications (D. Lemire: Quickly parsing eight
digits, 2018). Rows with anything but plain numbers of at most 8 digits are read one by one.
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.ingest.parsing.values import Flags, bytes_of, strict_integer
from engage_pipeline.numerics.token_bytes import Offsets, token_columns
from engage_pipeline.schema import FIELD_SEPARATOR, LIST_SEPARATOR, VOCABULARY_SIZE

Ids = npt.NDArray[np.int32]
_ROWS_AT_ONCE = 1024
"""Small enough that intermediate arrays stay in the CPU cache."""
_MOST_DIGITS, _WORD = 6, 8
_PLAIN = re.compile(rf"[0-9]{{1,{_MOST_DIGITS}}}(?:{LIST_SEPARATOR}[0-9]{{1,{_MOST_DIGITS}}})*")


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
    if _PLAIN.fullmatch(text):
        plain = list(map(int, text.split(LIST_SEPARATOR)))
        return plain if max(plain) < VOCABULARY_SIZE else None
    ids = [number for one in text.split(LIST_SEPARATOR) if (number := strict_integer(one)) is not None]
    whole = len(ids) == text.count(LIST_SEPARATOR) + 1
    return ids if whole and all(0 <= one < VOCABULARY_SIZE for one in ids) else None


def _plain(texts: pa.StringArray) -> tuple[Ids, Offsets, Flags]:
    """Returns what `_read` does, but which texts are not plain instead: the ids of those are meaningless."""
    bounds, data = bytes_of(texts)
    behind = np.flatnonzero(data < ord("0"))
    starts = np.zeros_like(behind)
    starts[1:] = behind[:-1] + 1
    ids, whole = _numbers(data, starts, behind)
    stops = np.searchsorted(behind, bounds[1:])
    odd = np.zeros(len(texts), dtype=np.bool_)
    if not whole or ids.max(initial=0) >= VOCABULARY_SIZE:
        lengths = behind - starts
        wrong = (lengths < 1) | (lengths > _WORD) | (ids >= VOCABULARY_SIZE)
        odd[np.searchsorted(stops, np.flatnonzero(wrong), side="right")] = True
    if len(behind) != len(texts) + np.count_nonzero(data == ord(LIST_SEPARATOR)) or data.max(initial=0) > ord("9"):
        plain = (data >= ord("0")) & (data <= ord("9")) | (data == ord(LIST_SEPARATOR)) | (data == ord(FIELD_SEPARATOR))
        odd[np.searchsorted(bounds, np.flatnonzero(~plain), side="right") - 1] = True
    return ids, np.diff(stops, prepend=0), odd


def _numbers(data: npt.NDArray[np.uint8], starts: Offsets, behind: Offsets) -> tuple[Ids, bool]:
    """Returns the numbers, int32 (numbers,), from `starts` to `behind`, and whether all have 1 to 8 characters.

    A number with another length, or with a character that is no digit, is meaningless.
    """
    padded = np.zeros(len(data) + _WORD, dtype=np.uint8)
    padded[: len(data)] = data
    words = np.ndarray((len(data) + 1,), "<u8", padded, strides=(1,))[starts]
    shifts = 8 * (starts - behind) + 8 * _WORD
    words <<= shifts.view(np.uint64)  # what follows the number leaves at the top, zeros come in front of it
    words &= np.uint64(0x0F0F0F0F0F0F0F0F)
    pairs = words.view("<u2")  # of digits, the first in the lower byte; of the product, the upper byte is the number
    pairs *= np.uint16(1 + (10 << 8))
    pairs >>= np.uint16(8)
    fours = words.view("<u4")
    fours *= np.uint32(1 + (100 << 16))
    fours >>= np.uint32(16)
    numbers = fours[::2] * np.uint32(10_000)
    numbers += fours[1::2]
    whole = shifts.min(initial=0) >= 0 and shifts.max(initial=0) < 8 * _WORD
    return numbers.view(np.int32), bool(whole)
