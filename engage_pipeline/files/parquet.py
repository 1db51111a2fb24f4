"""Reads Parquet files in batches of bounded memory, and checks their columns against a schema."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.locations.location import Location


class RowGroups(Protocol):
    """A Parquet file that is open, or several that are read as one."""

    @property
    def num_row_groups(self) -> int:
        """The number of row groups."""

    def iter_batches(
        self, batch_size: int, *, row_groups: Sequence[int], columns: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows of row groups in batches of at most so many; `columns` None = all."""


def batches(
    file: RowGroups, rows: int, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[pa.Table]:
    """Yields tables of `rows` rows each, the last one maybe shorter, in file order; None = all `columns`, `groups`.

    Row groups are read one at a time: pyarrow's own iteration over a whole file holds the bytes of every group.
    """
    held: list[pa.RecordBatch] = []
    missing = rows
    for group in range(file.num_row_groups) if groups is None else groups:
        for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
            held.append(batch.slice(0, missing))
            missing -= held[-1].num_rows
            if missing == 0:
                yield pa.Table.from_batches(held).combine_chunks()
                rest = batch.slice(held[-1].num_rows)
                held = [rest] if rest.num_rows else []
                missing = rows - rest.num_rows
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def open_coded(path: Path, names: Collection[str]) -> pq.ParquetFile:
    """Opens a Parquet file whose text columns `names`, or lists of text, are read as dictionaries if they are such."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(0)] if metadata.num_row_groups else []
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    leaves = [chunk.path_in_schema for chunk in chunks if "RLE_DICTIONARY" in chunk.encodings]
    coded = [leaf for leaf in leaves if leaf.partition(".")[0] in names]
    return pq.ParquetFile(path, metadata=metadata, read_dictionary=coded)


def schema_difference(path: Location, expected: pa.Schema) -> str | None:
    """Returns how the columns of the file `path` differ from `expected` in name, order or type; None if they don't.

    A missing file, or one that is not Parquet, differs too.
    """
    try:
        found = pq.read_schema(path if isinstance(path, Path) else path.open_raw())
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
    """Raises RuntimeError if the columns of the file `path` differ from `expected`: it must not be published."""
    if difference := schema_difference(path, expected):
        raise RuntimeError(f"{path.parent}: {difference}")


def group_ends(metadata: pq.FileMetaData) -> np.ndarray:
    """Returns the row after the last of each row group of a Parquet file, int64 [groups]."""
    return np.cumsum([metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)], dtype=np.int64)


def rows_at(file: RowGroups, places: np.ndarray, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yields the rows at the positions `places`, ascending, in batches of at most `rows`; `columns` None = all."""
    start = 0
    for table in batches(file, rows, columns):
        first, last = np.searchsorted(places, (start, start + table.num_rows))
        if first < last:
            yield table.take(pa.array(places[first:last] - start))
        start += table.num_rows
