"""The counts of a window by key, opened by memory map, and looked up for rows.

A window's folder holds for each scope `<scope><table>-<number>.arrow`: a table for each side, and a nested one for each
of its other keys (shards.counting); file by file and batch by batch, ids rise. Only the pages that a look-up needs are
read. What does not belong here: counting (counters.counting), which counts are features (features.windows).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
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
Found = npt.NDArray[np.int32]
"""Counts of rows, int32 [COUNTS, n]; zeros for keys that were never counted."""
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
    _columns: dict[tuple[int, str], npt.NDArray[Any]] = field(default_factory=dict)
    _counts: dict[int, tuple[npt.NDArray[np.int32], ...]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, scope: str, key: str) -> "Table":
        """Opens the files by memory map."""
        readers = [pa.ipc.open_file(pa.memory_map(str(path))) for path in table_paths(folder, scope, key)]
        return cls([reader.get_batch(place) for reader in readers for place in range(reader.num_record_batches)])

    def column(self, batch: int, name: str) -> npt.NDArray[Any]:
        """Returns a column of a batch, without a copy."""
        if (batch, name) not in self._columns:
            self._columns[batch, name] = self.batches[batch][name].to_numpy()
        return self._columns[batch, name]

    def counts(self, batch: int) -> tuple[npt.NDArray[np.int32], ...]:
        """Returns the columns of COUNTS of a batch, without a copy."""
        if batch not in self._counts:
            self._counts[batch] = tuple(self.column(batch, name) for name in COUNTS)
        return self._counts[batch]


@dataclass(frozen=True)
class Places:
    """Where the ids of rows are in a side's table: `rows` int64 [known], the rows that were found, ordered by id;
    `cuts`: for each batch with rows, its number and the slice of `rows`; `places` int64 [known] in that batch."""

    rows: Positions
    places: Positions
    cuts: Sequence[tuple[int, slice]]

    def repeated(self, sizes: Positions) -> "Places":
        """Returns the same with each of `rows` as often as `sizes` int64 [known] say."""
        ends = [0, *np.cumsum(sizes).tolist()]
        cuts = [(batch, slice(ends[cut.start], ends[cut.stop])) for batch, cut in self.cuts]
        return Places(np.repeat(self.rows, sizes), np.repeat(self.places, sizes), cuts)


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

    @cached_property
    def _firsts(self) -> npt.NDArray[np.uint64]:
        """The lowest hash of each shard."""
        firsts = np.arange(0, BUCKETS, BUCKETS // len(self.own.batches), dtype=np.uint64)
        return firsts << np.uint64(48)

    def find(self, ids: Ids) -> Places:
        """Finds ids; one whose check differs is another id."""
        from engage_pipeline.interactions.counters.look_ups import find_ids

        order, hashes, checks = ids.by_hash
        rows, places, cuts, done = [], [], [], 0
        for batch, start, stop in self._stretches(hashes):
            known, known_checks = self.own.column(batch, "hash"), self.own.column(batch, "check")
            found = find_ids(known, known_checks, hashes[start:stop], checks[start:stop])
            (right,) = (found >= 0).nonzero()
            if len(right):
                rows.append(order[start:stop][right])
                places.append(found[right])
                cuts.append((batch, slice(done, done + len(right))))
                done += len(right)
        return Places(_joined(rows), _joined(places), cuts)

    def _stretches(self, hashes: npt.NDArray[np.uint64]) -> list[tuple[int, int, int]]:
        """Returns the batches of hashes in order, and the bounds of each one's hashes."""
        if len(hashes) == 1:
            return [(int(self._firsts.searchsorted(hashes[0], "right")) - 1, 0, 1)]
        bounds = np.append(np.searchsorted(hashes, self._firsts), len(hashes)).tolist()
        return [(batch, *bound) for batch, bound in enumerate(pairwise(bounds)) if bound[0] < bound[1]]

    def counts(self, found: Places, rows: int) -> Found:
        """Returns the counts of the ids of `rows` rows."""
        from engage_pipeline.interactions.counters.look_ups import add_counts

        result = np.zeros((len(COUNTS), rows), np.int32)
        for batch, cut in found.cuts:
            add_counts(result, found.rows[cut], found.places[cut], self.own.counts(batch))
        return result

    def nested_counts(self, key: Key, found: Places, values: Values, rows: int) -> Found:
        """Returns the counts of the ids of `rows` rows with `values`; of several values, their sum."""
        from engage_pipeline.interactions.counters.look_ups import add_nested

        result = np.zeros((len(COUNTS), rows), np.int32)
        table = self.nested[key.name]
        asked, wanted = _asked(values, found)
        for batch, cut in asked.cuts:
            ends, known = self.own.column(batch, end_of(key)), table.column(batch, "value")
            add_nested(result, asked.rows[cut], asked.places[cut], wanted[cut], ends, known, table.counts(batch))
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


def _joined(arrays: list[Positions]) -> Positions:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
