"""Token ids as two binary columns of a table: schema.TEXT_TOKENS and schema.TEXT_TOKENS_HIGH.

An id has at most 24 bits. Its low 16 bits are two bytes of the first column, little-endian, the bits above one byte of
the second. Bytes are written, read and compressed faster than lists of integers (ADR 20).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.schema import TEXT_TOKENS, TEXT_TOKENS_HIGH

Offsets = npt.NDArray[np.int64]
_LOW_BITS = 16


def token_columns(offsets: Offsets, ids: npt.NDArray[np.int32]) -> tuple[pa.BinaryArray, pa.BinaryArray]:
    """Returns the low and the high column of n rows, of which row i has ids[offsets[i] : offsets[i + 1]].

    `offsets` int64 [n + 1] from 0 on; `ids` int32 [tokens] below 2^24, fewer than 2^30.
    """
    low, high = ids.astype("<u2"), (ids >> _LOW_BITS).astype(np.uint8)
    return _column(offsets * 2, low), _column(offsets, high)


def token_bytes(ids: Sequence[int]) -> tuple[bytes, bytes]:
    """Returns the values of the low and the high column for one row."""
    whole = np.array(ids, np.int32)
    return whole.astype("<u2").tobytes(), (whole >> _LOW_BITS).astype(np.uint8).tobytes()


def tokens_of(table: pa.Table | Mapping[str, list[bytes]]) -> tuple[Offsets, npt.NDArray[np.int32]]:
    """Returns `offsets` and `ids` of token_columns from the two columns of `table`; a null row has no tokens.

    The columns may be lists of bytes, without nulls.
    Raises ValueError if the columns do not hold the same number of tokens in each row.
    """
    doubled, low = _bytes_of(table[TEXT_TOKENS])
    offsets, high = _bytes_of(table[TEXT_TOKENS_HIGH])
    if not np.array_equal(doubled, offsets * 2):
        raise ValueError(f"{TEXT_TOKENS} and {TEXT_TOKENS_HIGH} hold different numbers of tokens")
    ids = high.astype(np.int32)
    ids <<= _LOW_BITS
    ids |= low.view("<u2")
    return offsets, ids


def with_token_lists(table: pa.Table) -> pa.Table:
    """Returns `table` with list<int32> in TEXT_TOKENS and without TEXT_TOKENS_HIGH, for people to read."""
    offsets, ids = tokens_of(table)
    lists = pa.ListArray.from_arrays(offsets.astype(np.int32), ids)
    place = table.column_names.index(TEXT_TOKENS)
    return table.set_column(place, TEXT_TOKENS, lists).drop_columns([TEXT_TOKENS_HIGH])


def _column(offsets: Offsets, values: npt.NDArray[np.unsignedinteger]) -> pa.BinaryArray:
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(values)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


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
