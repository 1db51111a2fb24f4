"""Lines as typed rows: each is a row, blank, or rejected with the reason.

Plain lines are read by a compiled loop, all others one by one. What does not belong here: how a plain line is read
(plain_lines), what a line must be as a whole (line_rules), how one text is read (values), and files (part_ingest).
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.line_rules import ExpectedWidth, byte_problem, cut_off
from engage_pipeline.ingest.parsing.lines import LineBlock, Positions
from engage_pipeline.ingest.parsing.values import day_of, value_of
from engage_pipeline.ingest.rejects import Reject, RejectWriter
from engage_pipeline.locations.location import Location
from engage_pipeline.numerics.token_bytes import token_bytes
from engage_pipeline.schema import (
    COLUMNS,
    ENGAGEMENT_DAY,
    FIELD_SEPARATOR,
    LABELS,
    LINE_NUMBER,
    TEXT_TOKENS,
    TEXT_TOKENS_HIGH,
    TWEET_TIMESTAMP,
    tweet_schema,
)

LABEL_IS_A_TIME = (
    "a time is needed: that of the engagement, or where it is not known that of the showing; null where there was none"
)
"""What a column of labels holds, for who has truth values."""
Split = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int32]]
_SEPARATOR, _NEWLINE = FIELD_SEPARATOR.encode(), b"\n"
_AT_ONCE = 4096
"""Lines that are not plain are held so many at a time, as lists of Python."""


class TypedRows:
    """Reads the lines of one part. `blank` counts the blank lines read so far."""

    def __init__(
        self, part: Location, *, labelled: bool, split: Split | None, rejects: RejectWriter, by_day: bool = False
    ) -> None:
        """`part` names the part in messages; with `split`, which maps line numbers (n,) to their place in the split
        (n,), rows end in schema.SPLIT. `by_day`: whether the rows of a batch are ordered by day, else by line."""
        from engage_pipeline.ingest.parsing.plain_rows import PlainReader  # numba takes half a second to import

        self.blank = 0
        self.schema = tweet_schema(labelled=labelled, validation=split is not None)
        self._whole = tweet_schema(labelled=labelled)
        self._width = ExpectedWidth(part, labelled=labelled)
        self._plain = PlainReader(labelled=labelled, by_day=by_day)
        self._order = [ENGAGEMENT_DAY, LINE_NUMBER] if by_day else [LINE_NUMBER]
        self._split, self._rejects = split, rejects

    def read(self, blocks: Generator[LineBlock]) -> Iterator[pa.RecordBatch]:
        """Yields the rows of the lines that can be read, some lines after others, as `schema` has them.

        Raises UserError: labels in an unlabelled part, the same wrong number of columns in all lines.
        """
        with closing(blocks):  # its file and its progress bar, before an error of here is shown
            for block in blocks:
                if len(rows := self._rows(block)):
                    yield rows
            self._width.judge()

    def _rows(self, block: LineBlock) -> pa.RecordBatch:
        end = block.data.rfind(_NEWLINE) + 1
        last = block.data[end:]
        plain = self._plain.read(block.data[:end] if last else block.data, len(block.numbers))
        self.blank += plain.blank
        if self._width.watching:
            self._width.watch([self._width.separators] * len(plain.places))
            self._width.watch(line.count(_SEPARATOR) for _, line, _ in _odd_lines(block, plain.odd, last))
        numbers = pa.array(block.numbers[plain.places])
        columns = plain.rows.append_column(LINE_NUMBER, numbers).select(self._whole.names).columns
        rows = pa.RecordBatch.from_arrays(columns, schema=self._whole)
        if others := list(self._others(block, _odd_lines(block, plain.odd, last))):
            rows = pa.concat_batches([rows, *others])
            rows = rows.sort_by([(name, "ascending") for name in self._order])
        if self._split is not None:
            places = pa.array(self._split(rows[LINE_NUMBER].to_numpy()), pa.int32())
            rows = pa.RecordBatch.from_arrays([*rows.columns, places], schema=self.schema)
        return rows

    def _others(self, block: LineBlock, lines: Iterator[tuple[int, bytes, bool]]) -> Iterator[pa.RecordBatch]:
        """Yields the rows of lines that are not plain."""
        while some := list(islice(lines, _AT_ONCE)):
            read = (self._row(int(block.numbers[place]), line, ended=ended) for place, line, ended in some)
            if found := [row for row in read if row]:
                yield pa.RecordBatch.from_pylist(found, self._whole)

    def _row(self, number: int, line: bytes, *, ended: bool) -> dict[str, Any] | None:
        """Returns the values of one line by column; None if it was rejected."""
        problem = byte_problem(line) or self._width.problem(line, number)
        if problem is None and not ended:
            problem = cut_off(line, self._width.columns)
        if problem is None:
            try:
                return {LINE_NUMBER: number, **_values(line, self._width.columns)}
            except UserError as error:
                problem = str(error)
        self._rejects.append(Reject(number, problem, line))
        return None


def _odd_lines(block: LineBlock, odd: Positions, last: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Yields place and bytes of the lines `odd`, (k, 3), and of the `last` one unless it is empty, and whether each has
    its end."""
    for start in range(0, len(odd), _AT_ONCE):
        for place, begin, end in odd[start : start + _AT_ONCE].tolist():
            yield place, block.data[begin:end], True
    if last:
        yield len(block.numbers) - 1, last, False


def _values(line: bytes, columns: int) -> dict[str, Any]:
    """Returns the values of a line in its first `columns`, by name. Raises UserError with the first problem."""
    texts = line.decode().split(FIELD_SEPARATOR)
    row = {column.name: value_of(column, text) for column, text in zip(COLUMNS[:columns], texts, strict=False)}
    times = [time for name in LABELS if (time := row.get(name)) is not None]
    day = day_of(max(times) if times else row[TWEET_TIMESTAMP] or 0)
    if day is None:
        raise UserError(
            f"{ENGAGEMENT_DAY}: the time of the last engagement, or of the tweet, is beyond 32 bits of days"
        )
    low, high = token_bytes(row[TEXT_TOKENS])
    return {**row, TEXT_TOKENS: low, TEXT_TOKENS_HIGH: high, ENGAGEMENT_DAY: day}
