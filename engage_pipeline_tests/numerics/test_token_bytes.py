"""Token ids as two binary columns, against packing them one by one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.numerics.token_bytes import token_bytes, token_counts, tokens_of, with_token_lists
from engage_pipeline_tests.token_lists import token_arrays, token_values

LISTS = st.lists(st.lists(st.integers(0, 2**17 - 1), max_size=20), max_size=8)


@given(lists=LISTS)
def test_a_row_holds_what_was_packed_one_by_one(lists: list[list[int]]) -> None:
    assert [token_bytes(ids) for ids in lists] == [tuple(token_values(ids).values()) for ids in lists]


def test_bits_begin_with_the_first_id_and_end_in_a_1() -> None:
    assert token_bytes([65_536, 7, 65_537]) == (b"\0\0\7\0\1\0", b"\x0d")
    assert token_bytes([65_536] * 8) == (b"\0\0" * 8, b"\xff\x01")
    assert token_bytes([]) == (b"", b"")


@given(lists=st.lists(st.none() | st.lists(st.integers(0, 2**17 - 1), max_size=20), max_size=12), data=st.data())
def test_any_slice_in_any_chunks_is_read_back(lists: list[list[int] | None], data: st.DataObject) -> None:
    chunks = {name: sorted(data.draw(st.lists(st.integers(0, len(lists)), max_size=3))) for name in ("low", "high")}
    columns = [
        pa.chunked_array([column[start:end] for start, end in zip([0, *cuts], [*cuts, len(lists)], strict=True)])
        for column, cuts in zip(token_arrays(lists).values(), chunks.values(), strict=True)
    ]
    table = pa.table(columns, names=["text_tokens", "text_tokens_high"])
    start = data.draw(st.integers(0, len(lists)))
    offsets, ids = tokens_of(table.slice(start))
    assert (offsets.dtype, ids.dtype) == (np.int64, np.int32)
    assert [part.tolist() for part in np.split(ids, offsets[1:-1])][: len(lists) - start] == [
        one or [] for one in lists[start:]
    ]
    assert token_counts(table.slice(start)["text_tokens_high"]).tolist() == np.diff(offsets).tolist()
    assert with_token_lists(table)["text_tokens"].to_pylist() == [one or [] for one in lists]
    assert with_token_lists(table).column_names == ["text_tokens"]


def test_a_file_is_read_back(tmp_path: Path) -> None:
    lists: list[list[int]] = [[101, 119_546, 65_535, 65_536, 102], [], [0]]
    pq.write_table(pa.table(token_arrays(lists)), tmp_path / "tokens.parquet")
    offsets, ids = tokens_of(pq.read_table(tmp_path / "tokens.parquet"))
    assert offsets.tolist() == [0, 5, 5, 6]
    assert ids.tolist() == [101, 119_546, 65_535, 65_536, 102, 0]


def test_columns_of_unequal_numbers_of_tokens_are_refused() -> None:
    table = pa.table({**token_arrays([[1, 2], [3]]), "text_tokens_high": pa.array([b"\2", b"\4"])})
    with pytest.raises(ValueError, match="different numbers of tokens"):
        tokens_of(table)


def test_bytes_below_a_null_are_no_tokens() -> None:
    first_alone = pa.py_buffer(b"\1")
    columns = [
        pa.Array.from_buffers(pa.binary(), 2, [first_alone, pa.py_buffer(np.array(ends, np.int32)), pa.py_buffer(data)])
        for ends, data in (([0, 2, 4], b"\7\0\x08\0"), ([0, 1, 2], b"\2\2"))
    ]
    offsets, ids = tokens_of(pa.table(columns, names=["text_tokens", "text_tokens_high"]))
    assert (offsets.tolist(), ids.tolist()) == ([0, 1, 1], [7])
