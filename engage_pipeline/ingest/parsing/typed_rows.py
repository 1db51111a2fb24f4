"""Lines as typed rows: each is a row, blank, or rejected with the reason.

Plain lines are read by a compiled loop, all others one by one. What does not belong here: how a plain line is read
(plain_lines), what a line must be as a whole (line_rules), how one text is read (values), and files (part_ingest).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.line_rules import ExpectedWidth, byte_problem, cut_off
from engage_pipeline.ingest.parsing.lines import LineBlock
from engage_pipeline.ingest.parsing.values import LAST_DAY, SECONDS_A_DAY, value_of
from engage_pipeline.ingest.rejects import Reject, RejectWriter
from engage_pipeline.locations.location import Location
from engage_pipeline.numerics.token_bytes import token_bytes
from engage_pipeline.schema import (
    COLUMNS,
    ENGAGEMENT_DAY,
    ENGAGEMENTS,
    FIELD_SEPARATOR,
    LINE_NUMBER,
    TEXT_TOKENS,
    TEXT_TOKENS_HIGH,
    TWEET_TIMESTAMP,
    engagement_timestamp,
    tweet_schema,
)

LABEL_IS_A_TIME = (
    "a time is needed: that of the engagement, or where it is not known that of the showing; null where there was none"
)
"""What a column of labels holds, for who has truth values."""
Split = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int32]]
_SEPARATOR, _NEWLINE = FIELD_SEPARATOR.encode(), b"\n"
_TIMES = tuple(map(engagement_timestamp, ENGAGEMENTS))


class TypedRows:
    """Reads the lines of one part. `blank` counts the blank lines read so far."""

    def __init__(self, part: Location, *, labelled: bool, split: Split | None, rejects: RejectWriter) -> None:
        """`part` names the part in messages; with `split`, which maps line numbers (n,) to their place in the split
        (n,), rows end in schema.SPLIT."""
        from engage_pipeline.ingest.parsing.plain_rows import PlainReader  # numba takes half a second to import

        self.blank = 0
        self.schema = tweet_schema(labelled=labelled, validation=split is not None)
        self._whole = tweet_schema(labelled=labelled)
        self._width = ExpectedWidth(part, labelled=labelled)
        self._plain = PlainReader(labelled=labelled)
        self._split, self._rejects = split, rejects

    def read(self, blocks: Iterable[LineBlock]) -> Iterator[pa.RecordBatch]:
        """Yields the rows of the lines that can be read, in order, as `schema` has them.

        Raises UserError: labels in an unlabelled part, the same wrong number of columns in all lines.
        """
        for block in blocks:
            if len(rows := self._rows(block)):
                yield rows
        self._width.judge()

    def _rows(self, block: LineBlock) -> pa.RecordBatch:
        end = block.data.rfind(_NEWLINE) + 1
        last = block.data[end:]
        plain = self._plain.read(block.data[:end] if last else block.data, len(block.numbers))
        self.blank += plain.blank
        odd = [*plain.odd, (len(block.numbers) - 1, last)] if last else plain.odd
        widths = np.full(len(plain.places) + len(odd), self._width.separators)
        widths[len(plain.places) :] = [line.count(_SEPARATOR) for _, line in odd]
        self._width.watch(widths)
        numbers = block.numbers[plain.places]
        columns = plain.rows.append_column(LINE_NUMBER, pa.array(numbers)).select(self._whole.names).columns
        rows = pa.RecordBatch.from_arrays(columns, schema=self._whole)
        read = [self._row(int(block.numbers[place]), line, ended=line is not last) for place, line in odd]
        if any(read):
            others = pa.RecordBatch.from_pylist([row for row in read if row], self._whole)
            rows = pa.concat_batches([rows, others])
            rows = rows.take(pa.array(np.argsort(rows[LINE_NUMBER].to_numpy())))
        if self._split is not None:
            places = pa.array(self._split(rows[LINE_NUMBER].to_numpy()), pa.int32())
            rows = pa.RecordBatch.from_arrays([*rows.columns, places], schema=self.schema)
        return rows

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


def _values(line: bytes, columns: int) -> dict[str, Any]:
    """Returns the values of a line in its first `columns`, by name. Raises UserError with the first problem."""
    texts = line.decode().split(FIELD_SEPARATOR)
    row = {column.name: value_of(column, text) for column, text in zip(COLUMNS[:columns], texts, strict=False)}
    times = [time for name in _TIMES if (time := row.get(name)) is not None]
    day = (max(times) if times else row[TWEET_TIMESTAMP] or 0) // SECONDS_A_DAY
    if not -LAST_DAY - 1 <= day <= LAST_DAY:
        raise UserError(
            f"{ENGAGEMENT_DAY}: the time of the last engagement, or of the tweet, is beyond 32 bits of days"
        )
    low, high = token_bytes(row[TEXT_TOKENS])
    return {**row, TEXT_TOKENS: low, TEXT_TOKENS_HIGH: high, ENGAGEMENT_DAY: day}
