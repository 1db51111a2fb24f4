"""Puts the rows of a part into the order of their days, in memory that the part can't raise.

They arrive in batches, each ordered by day. Some at a time are merged and appended to a temporary file in slices: the
rows of one day, or of neighbouring days with few rows each. In the end the file is read day by day. Days with few rows
are read together, so that stray days, however many, cost no more than reading slices several times.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.schema import ENGAGEMENT_DAY

Order = Literal["day", "line"]
"""The order of typed rows: by engagement day and line, or by line, the order in which they are read."""
SORTED_ROWS, SORTED_BYTES = 65_536, 64 << 20
"""At least this many rows, or bytes, are merged at a time."""
SLICE_ROWS = 512
"""Days with fewer of the rows that are merged together share a slice with their neighbours."""
DAY_ROWS = 8192
"""Days with fewer rows in the part are read together, up to ROW_GROUP_ROWS rows or some SORTED_BYTES at a time."""


class RowsByDay:
    """Sorts rows by ENGAGEMENT_DAY, rows of one day in the order in which they come."""

    def __init__(self, spool: Path, schema: pa.Schema) -> None:
        """Creates the file `spool`, which is removed at the end; `schema` is that of all rows."""
        self._spool = spool
        self._file = pa.BufferedOutputStream(pa.OSFile(str(spool), "wb"), 1 << 20)
        self._writer = pa.ipc.new_file(self._file, schema, options=pa.ipc.IpcWriteOptions(use_threads=False))
        self._first, self._last = array("i"), array("i")
        self._rows: Counter[int] = Counter()
        self._bytes = 0

    def __enter__(self) -> Self:
        """The sorter itself."""
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Removes the file."""
        try:
            if not self._file.closed:
                self._writer.close()
                self._file.close()
        finally:
            self._spool.unlink(missing_ok=True)

    def sort(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Reads all batches, each ordered by day, then yields their rows by day."""
        for some in _at_a_time(batches):
            self._add(some)
        self._writer.close()
        self._file.close()
        yield from self._by_day()

    def _add(self, batches: Sequence[pa.RecordBatch]) -> None:
        """Appends the rows of some batches to the file, by day."""
        self._bytes += sum(batch.nbytes for batch in batches)
        all_days = np.concatenate([batch[ENGAGEMENT_DAY].to_numpy() for batch in batches])
        days, counts = np.unique(all_days, return_counts=True)
        self._rows.update(dict(zip(days.tolist(), counts.tolist(), strict=True)))
        groups = list(_together(counts, SLICE_ROWS, len(all_days)))
        firsts = days[[first for first, _ in groups]]
        for (first, end), rows in zip(
            groups, zip(*(_cut(batch, firsts) for batch in batches), strict=True), strict=True
        ):
            self._writer.write_batch(_merged(rows, one_day=end - first == 1))
            self._first.append(int(days[first]))
            self._last.append(int(days[end - 1]))

    def _by_day(self) -> Iterator[pa.RecordBatch]:
        """Yields the rows of the complete file by day."""
        days = np.array(sorted(self._rows), np.int64)
        counts = np.array([self._rows[day] for day in days.tolist()], np.int64)
        firsts, lasts = np.array(self._first, np.int64), np.array(self._last, np.int64)
        with pa.OSFile(str(self._spool)) as file:
            reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False))
            most = min(ROW_GROUP_ROWS, SORTED_BYTES * int(counts.sum()) // max(self._bytes, 1))
            for first, end in _together(counts, DAY_ROWS, most):
                low, high = int(days[first]), int(days[end - 1])
                slices = map(reader.get_batch, np.flatnonzero((firsts <= high) & (lasts >= low)).tolist())
                found = (_between(rows, low, high) for rows in slices)
                if low == high:
                    yield from found
                else:
                    yield _merged(found, one_day=False)


def _at_a_time(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Yields some batches together, which have SORTED_ROWS rows or SORTED_BYTES bytes."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= SORTED_ROWS or size >= SORTED_BYTES:
            yield held
            held, rows, size = [], 0, 0
    if held:
        yield held


def _together(counts: npt.NDArray[np.int64], least: int, most: int) -> Iterator[tuple[int, int]]:
    """Yields first and end of groups of neighbouring days, int (days,) rows each.

    A day of at least `least` rows is a group of its own; the others form groups of at most `most` rows.
    """
    first, rows = 0, 0
    for place, count in enumerate(counts.tolist()):
        if place > first and (count >= least or counts[place - 1] >= least or rows + count > most):
            yield first, place
            first, rows = place, 0
        rows += count
    if len(counts):
        yield first, len(counts)


def _between(rows: pa.RecordBatch, low: int, high: int) -> pa.RecordBatch:
    """Returns the rows with days from `low` to `high`, of rows that are sorted by day."""
    days = rows[ENGAGEMENT_DAY].to_numpy()
    start, end = np.searchsorted(days, low), np.searchsorted(days, high, side="right")
    return rows.slice(start, end - start)


def _cut(rows: pa.RecordBatch, firsts: npt.NDArray[np.int32]) -> list[pa.RecordBatch]:
    """Returns the rows from each of the days `firsts`, the first of which is no later than theirs, to before the next;
    of rows that are ordered by day."""
    bounds = [*np.searchsorted(rows[ENGAGEMENT_DAY].to_numpy(), firsts).tolist(), len(rows)]
    return [rows.slice(low, high - low) for low, high in pairwise(bounds)]


def _merged(slices: Iterable[pa.RecordBatch], *, one_day: bool) -> pa.RecordBatch:
    """Joins rows and orders them by day, those of a day as they come; there is nothing to order in `one_day`."""
    rows = pa.concat_batches(slices)
    return rows if one_day else rows.take(pa.array(np.argsort(rows[ENGAGEMENT_DAY].to_numpy(), kind="stable")))
