"""Batches hold every row once, in order, in the size asked for, and memory does not grow with the file."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.files.parquet import batches


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batches")


@settings(max_examples=60, deadline=None)
@given(total=st.integers(0, 60), group=st.integers(1, 20), rows=st.integers(1, 25))
def test_every_row_comes_once_in_order(folder: Path, total: int, group: int, rows: int) -> None:
    table = pa.table({"n": pa.array(range(total), pa.int32()), "text": [str(n) for n in range(total)]})
    pq.write_table(table, folder / "rows.parquet", row_group_size=group)
    with pq.ParquetFile(folder / "rows.parquet") as file:
        found = list(batches(file, rows))
        names = {tuple(piece.column_names) for piece in batches(file, rows, ["n"])}
    assert [n for piece in found for n in piece["n"].to_pylist()] == list(range(total))
    assert [piece.num_rows for piece in found[:-1]] == [rows] * (len(found) - 1)
    assert not found or 1 <= found[-1].num_rows <= rows
    assert all(column.num_chunks == 1 for piece in found for column in piece.columns)
    assert names <= {("n",)}


def test_memory_does_not_grow_with_the_row_groups(folder: Path) -> None:
    group = pa.table({"text": [random.Random(n).randbytes(64).hex() for n in range(5000)]})
    with pq.ParquetWriter(folder / "large.parquet", group.schema) as writer:
        for _ in range(24):
            writer.write_table(group)
    held = []
    before = pa.total_allocated_bytes()
    with pq.ParquetFile(folder / "large.parquet") as file:
        for table in batches(file, 2000):
            held.append(pa.total_allocated_bytes() - before)
            del table
    assert max(held) < (folder / "large.parquet").stat().st_size / 3
