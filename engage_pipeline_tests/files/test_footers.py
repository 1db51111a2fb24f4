"""Every way in which a file's columns can differ from the declared ones."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.files.parquet import require_schema, schema_difference

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
