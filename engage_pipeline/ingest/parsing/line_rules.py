"""What a line must be as a whole: its bytes, its number of columns, and its end.

A cut last line that lacks columns, or whose last boolean is cut, can't be read anyway. But a cut time looks like an
earlier time, and a time that was cut off whole looks like a missing value: without a check both would be read silently.
"""

from collections import Counter
from collections.abc import Iterable

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.values import is_utf8
from engage_pipeline.locations.location import Location
from engage_pipeline.plurals import counted
from engage_pipeline.schema import COLUMN_NAMES, COLUMNS, FIELD_SEPARATOR, N_TEST_COLUMNS

MAX_LINE_BYTES = 2_000_000
"""An interaction has about 500 bytes; a line beyond this limit can't be one, and would take much memory."""
NO_LABELS = FIELD_SEPARATOR.encode() * (len(COLUMNS) - N_TEST_COLUMNS)
"""The end of a test line that has the four label columns, which must be empty."""
_SEPARATOR = FIELD_SEPARATOR.encode()
_TWEETED = COLUMN_NAMES.index("tweet_timestamp")
_ENOUGH_LINES = 1000


class ExpectedWidth:
    """The number of columns of a part's lines: all columns in a labelled part, else those before the labels."""

    def __init__(self, part: Location, *, labelled: bool) -> None:
        """`part` names the part in messages."""
        self.columns = len(COLUMNS) if labelled else N_TEST_COLUMNS
        self.separators = self.columns - 1
        self._part, self._labelled = part, labelled
        self._watched: Counter[int] = Counter()

    @property
    def watching(self) -> bool:
        """Whether fewer than 1,000 lines have been recorded."""
        return self._watched.total() < _ENOUGH_LINES

    def watch(self, separators: Iterable[int]) -> None:
        """Records the separators per line of the part's first lines, and calls `judge` once there are 1,000."""
        self._watched.update(separators)
        if not self.watching:
            self.judge()

    def judge(self) -> None:
        """Raises UserError if all watched lines have the same wrong width: the part is then of another kind."""
        if len(self._watched) != 1:
            return
        found = next(iter(self._watched)) + 1
        if found == self.columns or (found == len(COLUMNS) and not self._labelled):
            return
        kind, guess = ("labelled", "; is it a test part?") if self._labelled else ("test", "")
        raise UserError(
            f"{self._part}: its lines have {counted(found, 'column')}, those of a {kind} part {self.columns}"
            f"{guess if found == N_TEST_COLUMNS else ''}"
        )

    def problem(self, line: bytes, number: int) -> str | None:
        """Returns why a line is rejected, None if it is not: it may end in empty labels in an unlabelled part.

        Raises UserError if such labels are not empty: labels must never be read silently.
        """
        columns = line.count(_SEPARATOR) + 1
        if columns == len(COLUMNS) and not self._labelled:
            if not line.endswith(NO_LABELS):
                raise UserError(f"{self._part}: line {number} (from 0) has labels; a test part must have none")
            return None
        return None if columns == self.columns else f"columns: {columns} instead of {self.columns}"


def cut_off(line: bytes, columns: int) -> str | None:
    """Returns why the last line of a part, which has no line end, may be cut off; None if it is whole.

    `columns` is the number that a line must have; a line with another number is rejected elsewhere. The last column
    must be as long as a whole one: an engagement's time has as many digits as its tweet's, and a test line ends in
    true or false.
    """
    fields = line.split(_SEPARATOR)
    if len(fields) != columns:
        return None
    least = 1 if columns == N_TEST_COLUMNS else max(len(fields[_TWEETED]), 1)
    return None if len(fields[-1]) >= least else "line end: there is none, so that the last column may be cut off"


def byte_problem(line: bytes) -> str | None:
    """Returns why a line is malformed by its bytes; None if it is not."""
    if len(line) > MAX_LINE_BYTES:
        return f"length: {len(line):,} bytes, more than {MAX_LINE_BYTES:,}"
    if b"\r" in line:
        return "carriage return: one without a line feed"
    if b"\0" in line:
        return "NUL: a byte 0"
    return None if is_utf8(line) else "encoding: invalid UTF-8"
