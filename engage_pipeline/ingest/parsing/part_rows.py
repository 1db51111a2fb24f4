"""The rows of a part of either format: lines of text, or Parquet. The content says which, not the name alone.

What does not belong here: how either is read (lines, parquet_rows).
"""

from collections.abc import Generator
from typing import Protocol

import numpy as np

from engage_pipeline.ingest.parsing.lines import LineBlock, PartLines, count_lines, read_lines
from engage_pipeline.ingest.parsing.parquet_rows import ParquetRows, is_parquet, open_parquet, read_row
from engage_pipeline.ingest.rejects import RejectWriter
from engage_pipeline.locations.location import Location
from engage_pipeline.settings.settings import Settings


class PartRows(Protocol):
    """The rows of one part. `lines` counts what `blocks` has read so far."""

    @property
    def lines(self) -> int:
        """The number of rows read so far, blank ones included."""

    def blocks(self) -> Generator[LineBlock]:
        """Reads the part and yields its rows as lines, in order. Raises UserError: the part can't be read."""


def part_rows(part: Location, *, labelled: bool, rejects: RejectWriter, settings: Settings, new: bool) -> PartRows:
    """Returns the rows of a part, of which nothing is read yet; those that no line can hold will go to `rejects`.

    Of a `new` Parquet part a log line says which columns are missing, once for all parts that lack the same.
    """
    if is_parquet(part):
        return ParquetRows(part, labelled=labelled, rejects=rejects, settings=settings, new=new)
    return PartLines(part)


def count_rows(part: Location) -> int:
    """Returns the number of lines or rows of a part. Raises UserError: unreadable or damaged file."""
    if not is_parquet(part):
        return count_lines(part)
    with open_parquet(part) as file:
        return int(file.metadata.num_rows)


def row_line(part: Location, row: int, settings: Settings) -> bytes | None:
    """Returns the row number `row` (from 0) as a line without line end; None if there is none; reads no further.

    Raises UserError: unreadable or damaged file, or a row of a Parquet part that no line can hold.
    """
    if is_parquet(part):
        return read_row(part, row, settings)
    return next(read_lines(part, np.array([row], dtype=np.int64)), None)
