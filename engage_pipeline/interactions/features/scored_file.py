"""Counts over the rows of the very file that is scored, without labels: the family `scored_file`.

    counts = ScoredFile.read(path)
    table = counts.beside(table, start)  # the rows of the file from `start` on, with SCORED_FILE_FEATURES

| column | what it says of a row |
|---|---|
| `file_viewer_rows`, `file_author_rows`, `file_tweet_rows` | rows of the file with the row's viewer, author, tweet |
| `file_pair_rows` | rows with the row's viewer and author |
| `file_viewer_day_rows` | rows with the row's viewer whose tweet is of the same day (UTC) |
| `file_viewer_position` | where the row stands among the viewer's rows by time, from 0, the first, to 1, the last |
| `file_hours_before`, `file_hours_after` | hours from the tweet of the viewer's row before, and to that of the next |

Files differ in size: some hold more people, others fewer rows of each. Numbers of rows are therefore relative to the
mean of their keys, 1 being as many as the average viewer (author, ...) has in this file; the mean follows in both
cases. Time is that of the tweet. What has no id or no time has missing values (NaN). No order of lines is read: a file
that is sorted would tell what a shuffled one does not.

The file is one part: each test part by itself, and the validation part for the rows that trees learn from. What does
not belong here: which models read the counts (model.trees).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT, combined, fingerprints
from engage_pipeline.numerics.splitmix import GOLDEN_GAMMA, mix
from engage_pipeline.settings.families import AUTHOR, VIEWER

Ids = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float32]
NO_OTHER_ROW = 10_000.0
"""Hours to a row that is not there, and the most between two rows."""
ONE_ROW = 0.5
"""The position of a viewer's only row."""
ALONE = 8
"""One in so many rows that trees learn from is seen without its file, so that they know rows that come alone."""
_HOUR, _DAY = 3600, 86_400
_COLUMNS = ("tweet_id", VIEWER, AUTHOR, schema.TWEET_TIMESTAMP)


@dataclass(frozen=True)
class ScoredFile:
    """SCORED_FILE_FEATURES of the rows of a file, float32 [n] each, in the order of the file."""

    columns: dict[str, Numbers]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Counts the rows of a Parquet file of tweets or of features, a row group at a time: 32 bytes a row are kept,
        and about 200 while they are counted."""
        pieces: list[list[Ids]] = []
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=list(_COLUMNS))
                ids = [fingerprints(table[name].cast(pa.string())) for name in _COLUMNS[:3]]
                pieces.append([*ids, table[schema.TWEET_TIMESTAMP].fill_null(0).to_numpy()])
        empty = [np.zeros(0, np.int64)] * len(_COLUMNS)
        return cls.of(*(np.concatenate(columns) for columns in zip(empty, *pieces, strict=True)))

    @classmethod
    def of(cls, tweet: Ids, viewer: Ids, author: Ids, time: Ids) -> Self:
        """Counts rows by the fingerprints of their ids, NO_FINGERPRINT where missing, and the seconds of their tweets,
        0 where missing; int64 [n] each."""
        day = np.where(time == 0, NO_FINGERPRINT, time // _DAY + 1)
        keys = (viewer, author, tweet, combined(viewer, author), combined(viewer, day))
        found = [*map(_relative_rows, keys), *_places_in_time(viewer, time)]
        return cls(dict(zip(schema.SCORED_FILE_FEATURES, found, strict=True)))

    def beside(self, table: pa.Table, places: int | npt.NDArray[np.int64]) -> pa.Table:
        """Adds the columns to `table`, whose rows are those at `places` of the file; a number is that of the first."""
        chosen = slice(places, places + table.num_rows) if isinstance(places, int) else places
        for name, values in self.columns.items():
            table = table.append_column(name, pa.array(values[chosen]))
        return table

    def along(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Yields the tables, which are all rows of the file in order, with the columns."""
        start = 0
        for table in tables:
            yield self.beside(table, start)
            start += table.num_rows

    def with_rows_alone(self) -> Self:
        """Returns the counts with missing values in one of ALONE rows, drawn by a hash of its place in the file."""
        places = np.arange(len(self.columns[schema.SCORED_FILE_FEATURES[0]]), dtype=np.uint64)
        alone = mix(places * GOLDEN_GAMMA + GOLDEN_GAMMA) % np.uint64(ALONE) == 0
        nothing = np.float32(np.nan)
        return type(self)({name: np.where(alone, nothing, values) for name, values in self.columns.items()})


def without_file(table: pa.Table) -> pa.Table:
    """Adds the columns to `table` as nulls: its rows come alone, without a file."""
    for name in schema.SCORED_FILE_FEATURES:
        table = table.append_column(name, pa.nulls(table.num_rows, pa.float32()))
    return table


def _relative_rows(key: Ids) -> Numbers:
    """Returns how many rows have the row's key, divided by the mean over the keys, float32 [n]; NaN without a key."""
    _, place, rows = np.unique(key, return_inverse=True, return_counts=True)
    known = key != NO_FINGERPRINT
    keyed = int(known.sum())
    keys = len(rows) - (keyed < len(key))
    relative = rows[place] * (keys / max(keyed, 1))
    return np.where(known, relative, np.nan).astype(np.float32)


def _places_in_time(viewer: Ids, time: Ids) -> tuple[Numbers, Numbers, Numbers]:
    """Returns position, hours before and hours after of each row among those of its viewer, float32 [n] each.

    Rows of one time share the mean of their positions, and are 0 hours from each other: their order says nothing.
    """
    known = np.flatnonzero((viewer != NO_FINGERPRINT) & (time != 0))
    order = known[np.lexsort((time[known], viewer[known]))]
    people, seconds = viewer[order], time[order].astype(np.float64)
    new_viewer = _starts(people)
    start, rows = _runs(new_viewer)
    first_of_time, ties = _runs(new_viewer | _starts(time[order]))
    earlier = first_of_time - start + (ties - 1) / 2
    position = np.where(rows == 1, ONE_ROW, earlier / np.maximum(rows - 1, 1))
    hours = np.full(len(order) + 1, NO_OTHER_ROW)  # between each row and the one before it
    hours[1:-1] = np.where(new_viewer[1:], NO_OTHER_ROW, np.minimum(np.diff(seconds) / _HOUR, NO_OTHER_ROW))
    alone = ties == 1
    found = np.full((3, len(viewer)), np.nan, np.float32)
    found[:, order] = position, np.where(alone, hours[:-1], 0), np.where(alone, hours[1:], 0)
    return found[0], found[1], found[2]


def _starts(sorted_values: Ids) -> npt.NDArray[np.bool_]:
    """Returns where a value differs from the one before it, bool [n]; true for the first."""
    starts = np.ones(len(sorted_values), np.bool_)
    starts[1:] = sorted_values[1:] != sorted_values[:-1]
    return starts


def _runs(starts: npt.NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """Returns the first place and the length of the run that each row is in, int64 [n] each; `starts` begin a run."""
    firsts = np.flatnonzero(starts)
    lengths = np.diff(firsts, append=len(starts))
    return np.repeat(firsts, lengths), np.repeat(lengths, lengths)
