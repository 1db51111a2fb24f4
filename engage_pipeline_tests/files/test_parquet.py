"""Batches hold every row once, in order, in the size asked for, and memory does not grow with the file.

Every way in which a file's columns can differ from the declared ones is found.
"""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.files.parquet import batches, require_schema, rows_at, schema_difference

WANTED = pa.schema([("a", pa.int64()), ("b", pa.list_(pa.int32())), ("c", pa.string())])
A, B, C = pa.array([1], pa.int64()), pa.array([[1]], pa.list_(pa.int32())), pa.array(["x"])

CASES = {
    "as declared": ({"a": A, "b": B, "c": C}, None),
    "type": ({"a": A.cast(pa.int32()), "b": B, "c": C}, "a is int32, not int64"),
    "type within a list": ({"a": A, "b": B.cast(pa.list_(pa.int64())), "c": C}, "not list"),
    "missing": ({"a": A, "b": B}, "no column c"),
    "unknown": ({"a": A, "b": B, "c": C, "d": A}, "column d is not known"),
    "order": ({"a": A, "c": C, "b": B}, "column c is out of order"),
}


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


@pytest.mark.parametrize("case", CASES)
def test_differences(tmp_path: Path, case: str) -> None:
    columns, expected = CASES[case]
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    found = schema_difference(tmp_path / "rows.parquet", WANTED)
    if expected is None:
        assert found is None
        require_schema(tmp_path / "rows.parquet", WANTED)
    else:
        assert found is not None
        assert found.startswith("rows.parquet: ")
        assert expected in found
        with pytest.raises(RuntimeError, match=r"rows\.parquet"):
            require_schema(tmp_path / "rows.parquet", WANTED)


def test_what_is_no_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("PAR1", encoding="utf-8")
    for name in ("text", "absent"):
        assert "no Parquet file" in str(schema_difference(tmp_path / name, WANTED))


@pytest.mark.parametrize("places", [[], [0], [49], [3, 50, 51, 199], list(range(200))])
def test_rows_at_places_come_in_their_order(tmp_path: Path, places: list[int]) -> None:
    pq.write_table(pa.table({"n": range(200), "m": range(200)}), tmp_path / "numbers.parquet", row_group_size=70)
    with pq.ParquetFile(tmp_path / "numbers.parquet") as file:
        found = list(rows_at(file, np.array(places, np.int64), 50, ["n"]))
    assert [value for table in found for value in table["n"].to_pylist()] == places
    assert all(table.num_rows <= 50 and table.column_names == ["n"] for table in found)
