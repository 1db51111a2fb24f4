"""Files of narrow rows, one kind for each side: Arrow IPC, uncompressed, read by memory map.

A file holds up to RUN_ROWS rows of one part, ordered by the upper 16 bits of the side's hash, so that a shard, a range
of these bits, is one contiguous slice of each file. Rows without the side's id are left out. The metadata holds the
names of coded values. What does not belong here: reading tweets (shards.rows), working on a shard.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.interactions.shards.grouping import NOT_COUNTED
from engage_pipeline.interactions.shards.rows import (
    Lists,
    Names,
    NarrowRows,
    Numbers,
    column_names,
    narrow_rows,
    ordered_names,
)
from engage_pipeline.interactions.shards.sides import Side
from engage_pipeline.numerics.sorting import taken

RUN_ROWS = 1 << 21
"""Most rows of a file; while it is written, a row takes some 150 bytes of memory."""
BUCKETS = 1 << 16
SHARD_ROWS = 1 << 19
"""Most rows of a shard, as far as hashes spread them."""
GROUP_SHARDS = 16
"""Shards in an item of work, and in a file of counts."""
_NAMES = b"names"


@dataclass(frozen=True)
class SideRows:
    """Rows of one side: the side's `hashes` uint64 [n] and `checks` uint16 [n], `labels`, `folds`, `places` uint32 [n]
    in their part, and the second parts of nested keys by raw column. `sources` int32 [n] is the file of each row."""

    hashes: Numbers
    checks: npt.NDArray[np.uint16]
    labels: npt.NDArray[np.uint8]
    folds: npt.NDArray[np.int32]
    places: npt.NDArray[np.uint32]
    values: Mapping[str, npt.NDArray[Any] | Lists]
    sources: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.hashes)

    def take(self, rows: npt.NDArray[np.int64]) -> "SideRows":
        """Returns the rows at `rows`, in that order."""
        values = {name: each.take(rows) for name, each in self.values.items()}
        return SideRows(
            taken(self.hashes, rows), taken(self.checks, rows), taken(self.labels, rows), taken(self.folds, rows),
            taken(self.places, rows), values, taken(self.sources, rows),
        )  # fmt: skip


def write_runs(
    tweets: Path, folder: Path, prefix: str, sides: Sequence[Side], fold: str, names: Names
) -> Iterator[NarrowRows]:
    """Writes the rows of the Parquet file `tweets` to `folder`, `<side>_rows-<prefix>-<run>.arrow`, and yields them.

    `fold` is the column of the folds. Raises what reading the file raises.
    """
    columns, few = column_names(sides)
    held: list[NarrowRows] = []
    first, run = 0, 0
    for rows in narrow_rows(tweets, columns, few, fold, names):
        if held and sum(map(len, held)) + len(rows) > RUN_ROWS:
            first += _write_run(held, first, folder, f"{prefix}-{run:03}", sides, names)
            held, run = [], run + 1
        held.append(rows)
        yield rows
    _write_run(held, first, folder, f"{prefix}-{run:03}", sides, names)


def _write_run(
    groups: Sequence[NarrowRows], first: int, folder: Path, name: str, sides: Sequence[Side], names: Names
) -> int:
    """Writes one file for each side; returns the number of rows of the groups."""
    rows = sum(map(len, groups))
    for side in sides:
        _write_side(groups, first, folder / f"{side.name}_rows-{name}.arrow", side, names)
    return rows


def _write_side(groups: Sequence[NarrowRows], first: int, path: Path, side: Side, names: Names) -> None:
    ids = _joined([rows.ids[side.column].hashes for rows in groups], np.uint64)
    known = np.flatnonzero(ids)
    order = taken(known, np.argsort((taken(ids, known) >> np.uint64(48)).astype(np.uint16), kind="stable"))
    columns = {
        "hash": taken(ids, order),
        "check": taken(_joined([rows.ids[side.column].checks for rows in groups], np.uint16), order),
        "labels": taken(_joined([rows.labels for rows in groups], np.uint8), order),
        "fold": taken(_joined([rows.folds for rows in groups], np.int32), order),
        "place": (order + first).astype(np.uint32),
    }
    for key in side.nested:
        columns[key.column] = _nested(groups, order, key.column, few=key.few, several=key.several)
    coded = {key.column: list(names.columns.get(key.column, {})) for key in side.nested if key.few}
    table = pa.table(columns, rows_schema(side).with_metadata({_NAMES: json.dumps(coded)}))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _nested(
    groups: Sequence[NarrowRows], order: npt.NDArray[np.int64], column: str, *, few: bool, several: bool
) -> Any:
    if several:
        lists = joined_lists([rows.lists[column] for rows in groups]).take(order)
        ends = np.append(0, lists.ends).astype(np.int64)
        return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(lists.values))
    held = [rows.codes[column] if few else rows.ids[column].hashes for rows in groups]
    return taken(_joined(held, np.uint16 if few else np.uint64), order)


def joined_lists(lists: Sequence[Lists]) -> Lists:
    """Returns the lists one after the other."""
    sizes = np.cumsum([0, *(len(each.values) for each in lists)])
    ends = [each.ends + size for each, size in zip(lists, sizes, strict=False)]
    return Lists(_joined(ends, np.int64), _joined([each.values for each in lists], np.uint64))


def _joined(arrays: Sequence[npt.NDArray[Any]], kind: type) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, kind)


def run_paths(folder: Path, side: Side, prefix: str) -> list[Path]:
    """Returns the files of a side's narrow rows that write_runs wrote, in order; `prefix` may be a pattern."""
    return sorted(folder.glob(f"{side.name}_rows-{prefix}-[0-9]*.arrow"))


def rows_schema(side: Side) -> pa.Schema:
    """Returns the columns of a side's narrow rows."""
    kinds = {"hash": pa.uint64(), "check": pa.uint16(), "labels": pa.uint8(), "fold": pa.int32(), "place": pa.uint32()}
    for key in side.nested:
        kinds[key.column] = pa.uint16() if key.few else pa.large_list(pa.uint64()) if key.several else pa.uint64()
    return pa.schema(kinds)


@dataclass(frozen=True)
class Run:
    """A file of narrow rows of one side, by memory map. Rows that are not `counted` only ask for counts."""

    path: Path
    side: Side
    counted: bool = True

    @cached_property
    def _batch(self) -> pa.RecordBatch | None:
        reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
        return reader.get_batch(0) if reader.num_record_batches else None

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._batch) if self._batch is not None else 0

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """The names of coded values, by raw column: that of code i at i - 1."""
        with pa.memory_map(str(self.path)) as source:
            return json.loads(pa.ipc.open_file(source).schema.metadata[_NAMES])

    def slice(self, low: int, high: int, source: int) -> SideRows | None:
        """Returns the rows whose upper 16 bits are in [low, high), as rows of the file `source`; None if there are
        none."""
        if self._batch is None:
            return None
        hashes = self._column("hash")
        start = int(np.searchsorted(hashes, np.uint64(low << 48)))
        stop = int(np.searchsorted(hashes, np.uint64(high << 48))) if high < BUCKETS else len(hashes)
        if start == stop:
            return None
        cut = slice(start, stop)
        values = {key.column: self._values(key.column, start, stop, several=key.several) for key in self.side.nested}
        labels = self._column("labels")[cut] if self.counted else np.full(stop - start, NOT_COUNTED)
        return SideRows(
            hashes[cut], self._column("check")[cut], labels, self._column("fold")[cut], self._column("place")[cut],
            values, np.full(stop - start, source, np.int32),
        )  # fmt: skip

    def _column(self, name: str) -> npt.NDArray[Any]:
        assert self._batch is not None  # noqa: S101 - narrows the type for the checker
        return self._batch[name].to_numpy()

    def _values(self, name: str, start: int, stop: int, *, several: bool) -> npt.NDArray[Any] | Lists:
        if not several:
            return self._column(name)[start:stop]
        assert self._batch is not None  # noqa: S101 - narrows the type for the checker
        column = self._batch[name]
        ends = np.asarray(column.offsets)[start : stop + 1]
        return Lists(ends[1:] - ends[0], np.asarray(column.values)[ends[0] : ends[-1]])


@dataclass(frozen=True)
class Runs:
    """The files of one side of a window."""

    runs: Sequence[Run]
    side: Side

    @classmethod
    def open(cls, paths: Sequence[Path], side: Side) -> "Runs":
        """Opens the files `paths`."""
        return cls([Run(path, side) for path in paths], side)

    def __len__(self) -> int:
        """The number of rows in all files."""
        return sum(len(run) for run in self.runs)

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """The names of coded values in all files, by raw column, ordered by fingerprint."""
        return {
            key.column: ordered_names(key.column, {name for run in self.runs for name in run.names[key.column]})
            for key in self.side.nested
            if key.few
        }

    @cached_property
    def _recoded(self) -> list[dict[str, npt.NDArray[np.uint16]]]:
        """For each file, by raw column, the code in `names` of each code in the file."""
        codes = {column: {name: code + 1 for code, name in enumerate(names)} for column, names in self.names.items()}
        return [
            {
                column: np.array([0, *(codes[column][name] for name in names)], np.uint16)
                for column, names in run.names.items()
            }
            for run in self.runs
        ]

    def shard(self, low: int, high: int) -> SideRows:
        """Returns the rows of all files whose upper 16 bits are in [low, high), with codes of `names`."""
        found = [(i, rows) for i, run in enumerate(self.runs) if (rows := run.slice(low, high, i)) is not None]
        values: dict[str, Any] = {}
        for key in self.side.nested:
            parts: list[Any] = [rows.values[key.column] for _, rows in found]
            if key.several:
                values[key.column] = joined_lists(parts)
            elif key.few:
                codes = [self._recoded[i][key.column][part] for (i, _), part in zip(found, parts, strict=True)]
                values[key.column] = _joined(codes, np.uint16)
            else:
                values[key.column] = _joined(parts, np.uint64)
        return SideRows(
            _joined([rows.hashes for _, rows in found], np.uint64),
            _joined([rows.checks for _, rows in found], np.uint16),
            _joined([rows.labels for _, rows in found], np.uint8),
            _joined([rows.folds for _, rows in found], np.int32),
            _joined([rows.places for _, rows in found], np.uint32),
            values,
            _joined([rows.sources for _, rows in found], np.int32),
        )


@dataclass(frozen=True)
class ShardGroup:
    """Neighbouring shards that are worked on together, the `number`-th of such groups: the `bounds` of each, and about
    how many `rows` they have."""

    number: int
    bounds: Sequence[tuple[int, int]]
    rows: int


def shard_groups(rows: int) -> Iterator[ShardGroup]:
    """Yields the shards of `rows` rows in groups of GROUP_SHARDS."""
    bounds = shard_bounds(rows)
    for number, start in enumerate(range(0, len(bounds), GROUP_SHARDS)):
        group = bounds[start : start + GROUP_SHARDS]
        yield ShardGroup(number, group, rows * len(group) // len(bounds))


def shard_bounds(rows: int) -> list[tuple[int, int]]:
    """Returns the ranges of upper 16 bits of the shards of `rows` rows; a power of two of equal ranges."""
    shards = 1
    while shards < BUCKETS and rows > shards * SHARD_ROWS:
        shards *= 2
    width = BUCKETS // shards
    return [(place * width, (place + 1) * width) for place in range(shards)]
