"""The counts of a window by key, opened by memory map, and looked up for rows.

A window's folder holds for each scope `<scope><table>-<number>.arrow`: a table for each side, and a nested one for each
of its other keys (shards.counting); file by file and batch by batch, ids rise. Only the pages that a look-up needs are
read. What does not belong here: counting (counters.counting), which counts are features (features.windows).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.shards.counting import end_of
from engage_pipeline.interactions.shards.files import BUCKETS
from engage_pipeline.interactions.shards.grouping import COUNTS
from engage_pipeline.interactions.shards.rows import Ids, Lists
from engage_pipeline.interactions.shards.sides import Side
from engage_pipeline.numerics.sorting import taken
from engage_pipeline.settings.families import Key

Positions = npt.NDArray[np.int64]
Addresses = npt.NDArray[np.uint64]
Found = npt.NDArray[np.int32]
"""Counts of rows, int32 [COUNTS, n]; zeros for keys that were never counted."""
_TYPES = {"hash": pa.uint64(), "check": pa.uint16(), "value": pa.uint64()}
"""The types of columns; those of others are int32."""
Values = Ids | Lists
"""The second parts of keys: ids, or several hashes a row."""


def table_path(folder: Path, scope: str, key: str, number: int) -> Path:
    """Returns the path of one of the files of a key's counts."""
    return folder / f"{scope}{key}-{number:04}.arrow"


def table_paths(folder: Path, scope: str, key: str) -> list[Path]:
    """Returns the files of a key's counts, in order. Raises UserError if there are none."""
    paths = sorted(folder.glob(f"{scope}{key}-[0-9]*.arrow"))
    if not paths:
        raise UserError(f"{folder}: no counts of {scope}{key}; count again")
    return paths


@dataclass(frozen=True)
class Table:
    """The batches of a table, one for each shard."""

    batches: Sequence[pa.RecordBatch]
    _columns: dict[tuple[str, ...], Addresses] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, scope: str, key: str) -> "Table":
        """Opens the files by memory map."""
        readers = [pa.ipc.open_file(pa.memory_map(str(path))) for path in table_paths(folder, scope, key)]
        return cls([reader.get_batch(place) for reader in readers for place in range(reader.num_record_batches)])

    def column(self, batch: int, name: str) -> npt.NDArray[Any]:
        """Returns a column of a batch, without a copy. Raises UserError if its type is not that of shards.counting."""
        column = self.batches[batch][name]
        if column.null_count or column.type != _TYPES.get(name, pa.int32()):
            raise UserError(f"{name}: {column.type} are no counts; count again")
        return column.to_numpy()

    def columns(self, *names: str) -> Addresses:
        """Returns the rows of each batch, and where its columns `names` lie, uint64 [1 + names, batches].

        They lie there as long as the table is held. Raises UserError as `column` does.
        """
        if names not in self._columns:
            batches = range(len(self.batches))
            found = [[self.column(batch, name).__array_interface__["data"][0] for batch in batches] for name in names]
            self._columns[names] = np.array([list(map(len, self.batches)), *found], np.uint64)
        return self._columns[names]


@dataclass(frozen=True)
class Places:
    """Where the ids of rows are in a side's table: `rows` int64 [known], the rows that were found, ordered by id;
    `places` int64 [known] in the batch of their shard; those of shard i are `bounds` [i] to [i + 1], int64."""

    rows: Positions
    places: Positions
    bounds: Positions

    def repeated(self, sizes: Positions) -> "Places":
        """Returns the same with each of `rows` as often as `sizes` int64 [known] say."""
        ends = np.append(0, np.cumsum(sizes))
        return Places(np.repeat(self.rows, sizes), np.repeat(self.places, sizes), ends[self.bounds])


@dataclass(frozen=True)
class SideTables:
    """The tables of one side of a window."""

    side: Side
    own: Table
    nested: Mapping[str, Table]

    @classmethod
    def open(cls, folder: Path, scope: str, side: Side) -> "SideTables":
        """Opens the files of a side in the folder of a window."""
        nested = {key.name: Table.open(folder, scope, key.name) for key in side.nested}
        return cls(side, Table.open(folder, scope, side.name), nested)

    def find(self, ids: Ids) -> Places:
        """Finds ids; one whose check differs is another id."""
        from engage_pipeline.interactions.counters.look_ups import find_ids

        return Places(*find_ids(self.own.columns("hash", "check"), BUCKETS // len(self.own.batches), *ids.by_hash))

    def counts(self, found: Places, rows: int) -> Found:
        """Returns the counts of the ids of `rows` rows."""
        from engage_pipeline.interactions.counters.look_ups import add_counts

        result = np.zeros((len(COUNTS), rows), np.int32)
        add_counts(result, found.rows, found.places, found.bounds, self.own.columns(*COUNTS))
        return result

    def nested_counts(self, key: Key, found: Places, values: Values, rows: int) -> Found:
        """Returns the counts of the ids of `rows` rows with `values`; of several values, their sum."""
        from engage_pipeline.interactions.counters.look_ups import add_nested

        result = np.zeros((len(COUNTS), rows), np.int32)
        asked, wanted = _asked(values, found)
        ends, table = self.own.columns(end_of(key)), self.nested[key.name].columns("value", *COUNTS)
        add_nested(result, asked.rows, asked.places, asked.bounds, wanted, ends, table)
        return result


@dataclass(frozen=True)
class Window:
    """All tables of one scope of a window, by the name of their side."""

    sides: Mapping[str, SideTables]

    @classmethod
    def open(cls, folder: Path, scope: str, sides: Sequence[Side]) -> "Window":
        """Opens the files of a window. Raises UserError if one is missing."""
        return cls({side.name: SideTables.open(folder, scope, side) for side in sides})


def _asked(values: Values, found: Places) -> tuple[Places, npt.NDArray[np.uint64]]:
    """Returns the places of each value of the rows that were found, and the values."""
    if isinstance(values, Lists):
        lists = values.take(found.rows)
        return found.repeated(lists.lengths()), lists.values
    return found, taken(values.hashes, found.rows)
