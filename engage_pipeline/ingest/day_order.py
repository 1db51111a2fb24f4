"""Puts the rows of a part, which arrive by line, into the order of their days, in memory that the part can't raise.

Some rows at a time are sorted by day and appended to a temporary file in slices: the rows of one day, or of
neighbouring days with few rows each. In the end the file is read day by day. Days with few rows are read together, so
that stray days, however many, cost no more than reading slices several times.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
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
"""At least this many rows, or bytes, are sorted at a time."""
SLICE_ROWS = 512
"""Days with fewer of the rows that are sorted together share a slice with their neighbours."""
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
        """Reads all batches, then yields their rows by day."""
        for rows in _joined(batches):
            self._add(rows)
        self._writer.close()
        self._file.close()
        yield from self._by_day()

    def _add(self, rows: pa.RecordBatch) -> None:
        """Appends the rows to the file."""
        self._bytes += rows.nbytes
        days = rows[ENGAGEMENT_DAY].to_numpy()
        order = np.argsort(days, kind="stable")
        by_day, days = rows.take(pa.array(order)), days[order]
        starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
        counts = np.diff(starts, append=len(days))
        self._rows.update(dict(zip(days[starts].tolist(), counts.tolist(), strict=True)))
        for first, end in _together(counts, SLICE_ROWS, len(days)):
            start, stop = int(starts[first]), int(starts[end - 1] + counts[end - 1])
            self._writer.write_batch(by_day.slice(start, stop - start))
            self._first.append(int(days[start]))
            self._last.append(int(days[stop - 1]))

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
                    together = pa.concat_batches(found)
                    yield together.take(pa.array(np.argsort(together[ENGAGEMENT_DAY].to_numpy(), kind="stable")))


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Joins batches until they have SORTED_ROWS rows or SORTED_BYTES bytes."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= SORTED_ROWS or size >= SORTED_BYTES:
            yield pa.concat_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_batches(held)


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
