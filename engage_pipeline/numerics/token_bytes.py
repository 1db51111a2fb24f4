"""Token ids as two binary columns of a table: schema.TEXT_TOKENS and schema.TEXT_TOKENS_HIGH.

An id has at most 17 bits. Its low 16 bits are two bytes of the first column, little-endian. The second column has the
top bits of a row's ids, eight a byte, that of the first id lowest, and behind the last one a 1, which tells how many
they are; without ids there are no bytes. Bytes are written, read and compressed faster than lists of integers (ADR 20),
and bits take less than bytes that are 0 or 1 (ADR 62).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.schema import TEXT_TOKENS, TEXT_TOKENS_HIGH

Offsets = npt.NDArray[np.int64]
_LOW_BITS = 16
_BYTE = 8
_HIGHEST = np.array([max(byte.bit_length() - 1, 0) for byte in range(256)])
"""The place of the highest 1 of a byte."""


def token_bytes(ids: Sequence[int]) -> tuple[bytes, bytes]:
    """Returns the values of the low and the high column for one row; its ids are below 2^17."""
    if not len(ids):
        return b"", b""
    whole = np.array(ids, np.int32)
    bits = np.append(whole >> _LOW_BITS, 1).astype(np.uint8)
    return whole.astype("<u2").tobytes(), np.packbits(bits, bitorder="little").tobytes()


def token_counts(high: pa.ChunkedArray | list[bytes]) -> Offsets:
    """Returns the number of ids of each row of the column TEXT_TOKENS_HIGH, int64 [n]; a null row has none."""
    return _counts(*_bytes_of(high))


def tokens_of(table: pa.Table | Mapping[str, list[bytes]]) -> tuple[Offsets, npt.NDArray[np.int32]]:
    """Returns `offsets`, int64 [n + 1] from 0 on, and `ids`, int32, from the two columns of a `table` of n rows: row i
    has ids[offsets[i] : offsets[i + 1]], a null row none.

    The columns may be lists of bytes, without nulls.
    Raises ValueError if the columns do not hold the same number of tokens in each row.
    """
    doubled, low = _bytes_of(table[TEXT_TOKENS])
    bounds, high = _bytes_of(table[TEXT_TOKENS_HIGH])
    counts = _counts(bounds, high)
    offsets = np.append(0, np.cumsum(counts))
    if not np.array_equal(doubled, offsets * 2):
        raise ValueError(f"{TEXT_TOKENS} and {TEXT_TOKENS_HIGH} hold different numbers of tokens")
    behind = _BYTE * np.diff(bounds) - counts
    is_id = np.repeat(np.tile([True, False], len(counts)), np.stack([counts, behind], axis=1).ravel())
    ids = np.unpackbits(high, bitorder="little")[is_id].astype(np.int32)
    ids <<= _LOW_BITS
    ids |= low.view("<u2")
    return offsets, ids


def with_token_lists(table: pa.Table) -> pa.Table:
    """Returns `table` with list<int32> in TEXT_TOKENS and without TEXT_TOKENS_HIGH, for people to read."""
    offsets, ids = tokens_of(table)
    lists = pa.ListArray.from_arrays(offsets.astype(np.int32), ids)
    place = table.column_names.index(TEXT_TOKENS)
    return table.set_column(place, TEXT_TOKENS, lists).drop_columns([TEXT_TOKENS_HIGH])


def _counts(bounds: Offsets, high: npt.NDArray[np.uint8]) -> Offsets:
    """Returns the number of ids of each row from the place of the last 1 in its bytes."""
    counts = np.zeros(len(bounds) - 1, np.int64)
    some = np.flatnonzero(bounds[1:] > bounds[:-1])
    last = bounds[some + 1] - 1
    counts[some] = _BYTE * (last - bounds[some]) + _HIGHEST[high[last]]
    return counts


def _bytes_of(column: pa.ChunkedArray | list[bytes]) -> tuple[Offsets, npt.NDArray[np.uint8]]:
    """Returns the bounds of the rows' bytes, int64 [n + 1], and the joined bytes."""
    if isinstance(column, list):
        return np.cumsum([0, *map(len, column)]), np.frombuffer(b"".join(column), np.uint8)
    bounds, pieces, total = [np.zeros(1, np.int64)], [], 0
    for chunk in column.chunks:
        present = chunk.fill_null(b"") if chunk.null_count else chunk
        _, found, data = present.buffers()
        if data is None:
            bounds.append(np.full(len(present), total))
            continue
        ends = np.frombuffer(found, np.int32)[present.offset : present.offset + len(present) + 1]
        pieces.append(np.frombuffer(data, np.uint8)[ends[0] : ends[-1]])
        bounds.append(ends[1:] + np.int64(total - ends[0]))
        total += len(pieces[-1])
    return np.concatenate(bounds), pieces[0] if len(pieces) == 1 else np.concatenate([*pieces, np.empty(0, np.uint8)])
