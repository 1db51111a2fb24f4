"""Whether Parquet files have the columns that were declared: reads their footers alone."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def schema_difference(path: Path, expected: pa.Schema) -> str | None:
    """How names, order or types of the columns of the file `path` differ from `expected`; None where they don't.

    A file that is no Parquet file, or is not there, differs too.
    """
    try:
        found = pq.read_schema(path)
    except (OSError, pa.ArrowInvalid) as error:
        return f"{path.name}: no Parquet file ({' '.join(str(error).split())[:100]})"
    for wanted in expected:
        place = found.get_field_index(wanted.name)
        if place < 0:
            return f"{path.name}: no column {wanted.name}"
        if found.field(place).type != wanted.type:
            return f"{path.name}: {wanted.name} is {found.field(place).type}, not {wanted.type}"
    if extra := [name for name in found.names if name not in expected.names]:
        return f"{path.name}: column {extra[0]} is not known"
    if found.names != expected.names:
        first = next(name for name, wanted in zip(found.names, expected.names, strict=False) if name != wanted)
        return f"{path.name}: column {first} is out of order"
    return None


def require_schema(path: Path, expected: pa.Schema) -> None:
    """Raises RuntimeError where the columns of the file `path` differ from `expected`: it must not be published."""
    if difference := schema_difference(path, expected):
        raise RuntimeError(f"{path.parent}: {difference}")
