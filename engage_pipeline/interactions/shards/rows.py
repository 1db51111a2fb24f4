"""Narrow rows: what counting needs of a row, numbers only, read from the typed tweets a row group at a time.

Ids are hashed (numerics.fingerprints); a hash of 0 is a missing id. What does not belong here: files of narrow rows
(shards.files), and what is counted (shards.counting, shards.leaving_out).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import open_coded
from engage_pipeline.interactions.shards.sides import Side
from engage_pipeline.numerics.fingerprints import checks, fingerprints, hashes
from engage_pipeline.numerics.sorting import taken
from engage_pipeline.schema import LABELS
from engage_pipeline.settings.families import Key

Numbers = npt.NDArray[np.uint64]
MOST_NAMES = 65_535
"""Most different values of a column of few values, plus one."""
NEGATIVE = 0
"""The labels of a row without any engagement; bit i is ENGAGEMENTS[i]."""


@dataclass(frozen=True)
class Ids:
    """A column of ids: `hashes` uint64 [n], 0 where missing, and `checks` uint16 [n] (fingerprints.checks)."""

    hashes: Numbers
    checks: npt.NDArray[np.uint16]

    @cached_property
    def by_hash(self) -> tuple[npt.NDArray[np.int64], Numbers, npt.NDArray[np.uint16]]:
        """The order of the rows by the upper 16 bits of their hashes, and hashes and checks in that order."""
        if len(self.hashes) == 1:
            return np.zeros(1, np.int64), self.hashes, self.checks
        order = np.argsort((self.hashes >> np.uint64(48)).astype(np.uint16), kind="stable")
        return order, taken(self.hashes, order), taken(self.checks, order)

    def take(self, rows: npt.NDArray[np.int64]) -> "Ids":
        """Returns the ids of `rows`."""
        return Ids(taken(self.hashes, rows), taken(self.checks, rows))


@dataclass(frozen=True)
class Lists:
    """Several hashes a row: those of row i are `values` [ends[i - 1]:ends[i]], uint64; `ends` int64 [n]."""

    ends: npt.NDArray[np.int64]
    values: Numbers

    def lengths(self) -> npt.NDArray[np.int64]:
        """Returns the number of hashes of each row, int64 [n]."""
        lengths = self.ends.copy()
        lengths[1:] -= self.ends[:-1]
        return lengths

    def take(self, rows: npt.NDArray[np.int64]) -> "Lists":
        """Returns the lists of `rows`."""
        if len(rows) == len(self.ends) == 1:
            return self
        lengths = self.lengths()
        chosen = taken(lengths, rows)
        ends = np.cumsum(chosen)
        starts = taken(self.ends - lengths, rows) - (ends - chosen)
        places = np.repeat(starts, chosen) + np.arange(int(ends[-1]) if len(ends) else 0)
        return Lists(ends, taken(self.values, places) if len(places) else self.values[:0])


@dataclass(frozen=True)
class NarrowRows:
    """Rows in the order of their file. `labels` uint8 [n] (see NEGATIVE), `folds` int32 [n]; by raw
    column `ids`, `codes` of Names uint16 [n], and `lists` of several hashes a row.

    A code counts from 1; 0 = missing.
    """

    labels: npt.NDArray[np.uint8]
    folds: npt.NDArray[np.int32]
    ids: Mapping[str, Ids]
    codes: Mapping[str, npt.NDArray[np.uint16]]
    lists: Mapping[str, Lists]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.labels)


@dataclass
class Names:
    """The values of columns with few distinct values, numbered from 1 in the order of their first row."""

    columns: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: dict[str, Counter[str]] = field(default_factory=dict)

    def codes(self, name: str, column: pa.ChunkedArray) -> npt.NDArray[np.uint16]:
        """Returns the codes of the values, uint16 [n], and counts their rows; 0 = missing."""
        numbers = self.columns.setdefault(name, {})
        counts = self.rows.setdefault(name, Counter())
        values, places = _dictionary(column)
        rows = np.bincount(places, minlength=len(values) + 1).tolist()
        lookup = np.zeros(len(values) + 1, np.uint16)
        for place, value in enumerate(values.to_pylist()):
            if rows[place]:
                counts[value] += rows[place]
                lookup[place] = min(numbers.setdefault(value, len(numbers) + 1), MOST_NAMES)
        _require_few(name, numbers)
        return taken(lookup, places)


def ordered_names(name: str, values: Collection[str]) -> list[str]:
    """Returns the `values` of the column `name`, ordered by fingerprint. Raises UserError if there are too many."""
    _require_few(name, values)
    texts = sorted(values)
    order = np.argsort(fingerprints(pa.array(texts, pa.string())).view(np.uint64))
    return [texts[place] for place in order.tolist()]


def _require_few(name: str, values: Sized) -> None:
    if len(values) >= MOST_NAMES:
        raise UserError(f"{name}: {len(values):,} different values or more; at most {MOST_NAMES - 1:,} can be counted")


def narrow_rows(
    tweets: Path, columns: Sequence[str], few: Sequence[str], fold: str, names: Names
) -> Iterator[NarrowRows]:
    """Yields the rows of the Parquet file `tweets`, a row group at a time.

    `columns` are raw columns of ids and lists, `few` those of few distinct values, which get codes of `names`; `fold`
    is the column of the folds. Files without labels have no engagement.
    """
    texts = [*columns, *few]
    with open_coded(tweets, texts) as file:
        times = [name for name in LABELS if name in file.schema_arrow.names]
        wanted = [*texts, *times, fold]
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=wanted, use_threads=False)
            yield _narrow(table, columns, few, fold, names)


def _narrow(table: pa.Table, columns: Sequence[str], few: Sequence[str], fold: str, names: Names) -> NarrowRows:
    several = [name for name in columns if pa.types.is_list(table.schema.field(name).type)]
    return NarrowRows(
        labels_of(table),
        table[fold].to_numpy(),
        {name: ids_of(table[name]) for name in columns if name not in several},
        {name: names.codes(name, table[name]) for name in few},
        {name: lists_of(table[name]) for name in several},
    )


def labels_of(table: pa.Table) -> npt.NDArray[np.uint8]:
    """Returns the engagements of each row as bits, uint8 [n]; 0 for rows without labels."""
    labels = np.zeros(len(table), np.uint8)
    for bit, name in enumerate(LABELS):
        if name in table.column_names:
            engaged = table[name].is_valid().to_numpy()
            labels |= engaged.astype(np.uint8) << np.uint8(bit)
    return labels


def ids_of(column: pa.ChunkedArray) -> Ids:
    """Returns the ids of a column of text or of a dictionary of text."""
    if not pa.types.is_dictionary(column.type):
        return Ids(hashes(column), checks(column))
    values, places = _dictionary(column)
    numbers, marks = np.append(hashes(values), np.uint64(0)), np.append(checks(values), np.uint16(0))
    return Ids(taken(numbers, places), taken(marks, places))


def ids_of_columns(columns: Sequence[pa.ChunkedArray]) -> list[Ids]:
    """Returns the ids of each column; those of text are hashed in one call, since calls dominate with few rows."""
    if any(pa.types.is_dictionary(column.type) for column in columns):
        return [ids_of(column) for column in columns]
    whole = ids_of(pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string()))
    ends = np.cumsum([len(column) for column in columns]).tolist()
    return [Ids(whole.hashes[a:b], whole.checks[a:b]) for a, b in pairwise([0, *ends])]


def lists_of(column: pa.ChunkedArray) -> Lists:
    """Returns the lists of a column of lists of text; null values are left out."""
    whole = column.combine_chunks()
    ends = np.asarray(whole.offsets).astype(np.int64)
    values, places = _dictionary(pa.chunked_array([whole.values]))
    found = np.append(hashes(values), np.uint64(0))[places[ends[0] : ends[-1]]]
    return without_missing(Lists(ends[1:] - ends[0], found))


def without_missing(lists: Lists) -> Lists:
    """Returns the lists without hashes of 0."""
    known = lists.values != 0
    if known.all():
        return lists
    reached = np.append(0, np.cumsum(known))
    return Lists(reached[lists.ends], lists.values[known])


def _dictionary(column: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Returns the distinct values of a column and the place of each row among them; the last + 1 = missing."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    places = whole.indices.fill_null(len(whole.dictionary)).to_numpy(zero_copy_only=False)
    return whole.dictionary, places


def column_names(sides: Sequence[Side]) -> tuple[list[str], list[str]]:
    """Returns the raw columns of ids and lists that `sides` need, and those of few distinct values."""
    keys: list[Key] = [key for side in sides for key in (side.own, *side.nested)]
    columns = dict.fromkeys(key.column for key in keys if not key.few)
    return list(columns), list(dict.fromkeys(key.column for key in keys if key.few))
