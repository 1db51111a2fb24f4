"""Parses lists of token ids, one column at a time.

The digits of a number are read together: the 8 bytes before its end as one integer, by three multiplications
(D. Lemire: Quickly parsing eight digits, 2018). Rows with anything but plain numbers are read one by one.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.ingest.parsing.blocks import Positions
from engage_pipeline.ingest.parsing.values import Flags, bytes_of, strict_integer
from engage_pipeline.schema import FIELD_SEPARATOR, LIST_SEPARATOR, VOCABULARY_SIZE

_LIST = pa.list_(pa.int32())
_ROWS_AT_ONCE = 2048
"""Small enough that intermediate arrays stay in the CPU cache."""
_WORD = 8
_TWO_BYTES = np.uint64(0x000000FF000000FF)
_OUTER = np.uint64(100 + (1_000_000 << 32))
_INNER = np.uint64(1 + (10_000 << 32))


def read_tokens(texts: pa.StringArray) -> tuple[pa.ListArray, Flags]:
    """Returns the ids in each text, list<int32> (n,), and which texts are bad, bool (n,).

    Each text of `texts` ends with the FIELD_SEPARATOR. A text is bad unless it is tab-separated integers from 0 to
    VOCABULARY_SIZE - 1. The lists of bad and missing texts are empty.
    """
    lists, bad = [], []
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        some = texts.slice(start, _ROWS_AT_ONCE)
        found, wrong = _read(some.drop_null())
        if some.null_count:
            found, wrong = _spread(found, wrong, some.is_valid().to_numpy(zero_copy_only=False))
        lists.append(found)
        bad.append(wrong)
    return pa.concat_arrays(lists), np.concatenate(bad)


def _read(texts: pa.StringArray) -> tuple[pa.ListArray, Flags]:
    """Does the same as `read_tokens` for texts of which none is missing."""
    lists, odd = _plain(texts)
    bad = odd.copy()
    if odd.any():
        rows = lists.to_pylist()
        for index in np.flatnonzero(odd).tolist():
            strict = strict_token_ids(texts[index].as_py()[:-1])
            rows[index], bad[index] = strict or [], strict is None
        lists = pa.array(rows, _LIST)
    return lists, bad


def strict_token_ids(text: str) -> list[int] | None:
    """The token ids that `text` holds; None where one is none of the vocabulary."""
    ids = [number for one in text.split(LIST_SEPARATOR) if (number := strict_integer(one)) is not None]
    whole = len(ids) == text.count(LIST_SEPARATOR) + 1
    return ids if whole and all(0 <= one < VOCABULARY_SIZE for one in ids) else None


def _plain(texts: pa.StringArray) -> tuple[pa.ListArray, Flags]:
    """Returns the ids of plain texts, and which texts are not plain: the lists of those are meaningless."""
    bounds, data = bytes_of(texts)
    behind = np.flatnonzero(data < ord("0"))
    lengths = np.diff(behind, prepend=-1) - 1
    ids = _numbers(data, behind, lengths)
    ended_by = data[behind]
    last = np.flatnonzero(ended_by == ord(FIELD_SEPARATOR))
    stops = np.append(0, last + 1)
    odd = (lengths < 1) | (lengths > _WORD) | (ids >= VOCABULARY_SIZE)
    if len(behind) != len(texts) + np.count_nonzero(ended_by == ord(LIST_SEPARATOR)):
        odd |= (ended_by != ord(FIELD_SEPARATOR)) & (ended_by != ord(LIST_SEPARATOR))
    rows = np.zeros(len(texts), dtype=np.bool_)
    if odd.any():
        rows[np.searchsorted(last, np.flatnonzero(odd))] = True
    if data.max(initial=0) > ord("9"):
        rows[np.searchsorted(bounds, np.flatnonzero(data > ord("9")), side="right") - 1] = True
    return pa.ListArray.from_arrays(stops.astype(np.int32), ids), rows


def _numbers(data: npt.NDArray[np.uint8], behind: Positions, lengths: Positions) -> npt.NDArray[np.int32]:
    """Returns the numbers, at most 8 digits each, that end before the positions `behind`: int32 (numbers,)."""
    padded = np.empty(len(data) + _WORD, dtype=np.uint8)
    padded[:_WORD], padded[_WORD:] = 0, data
    every = np.ndarray((len(data) + 1,), "<u8", padded, strides=(1,))
    digits = every[behind]
    digits ^= np.uint64(0x3030303030303030)
    before = ((_WORD - np.clip(lengths, 1, _WORD)) * 8).astype(np.uint64)
    digits >>= before
    digits <<= before
    pairs = digits * np.uint64(10)
    digits >>= np.uint64(8)
    pairs += digits
    numbers = pairs & _TWO_BYTES
    numbers *= _OUTER
    pairs >>= np.uint64(16)
    pairs &= _TWO_BYTES
    pairs *= _INNER
    numbers += pairs
    numbers >>= np.uint64(32)
    return numbers.astype(np.int32)


def _spread(lists: pa.ListArray, bad: Flags, there: Flags) -> tuple[pa.ListArray, Flags]:
    """Expands the lists and flags of present texts to all texts: missing ones are empty and not bad."""
    counts = np.zeros(len(there), dtype=np.int32)
    counts[there] = np.diff(lists.offsets.to_numpy())
    flags = np.zeros(len(there), dtype=np.bool_)
    flags[there] = bad
    return pa.ListArray.from_arrays(np.append(0, np.cumsum(counts)).astype(np.int32), lists.values), flags
