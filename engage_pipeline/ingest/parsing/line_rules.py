"""How many columns a line must have, what to make of lines that have others, and of a last line that was cut off.

A last line without a line end that lacks columns, or whose last boolean is cut, can't be read anyway. What is left of a
time looks like an earlier time, and what is left of nothing like a missing value: these would come in silently.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.blocks import NO_LABELS
from engage_pipeline.schema import COLUMN_NAMES, COLUMNS, FIELD_SEPARATOR, N_TEST_COLUMNS

_SEPARATOR = FIELD_SEPARATOR.encode()
_TWEETED = COLUMN_NAMES.index("tweet_timestamp")
_ENOUGH_LINES = 1000


class ExpectedWidth:
    """The width of a part's lines: all columns where it is labelled, else those before the labels."""

    def __init__(self, part: Path, *, labelled: bool) -> None:
        """Of the lines of `part`."""
        self.columns = len(COLUMNS) if labelled else N_TEST_COLUMNS
        self.separators = self.columns - 1
        self._part, self._labelled = part, labelled
        self._watched: Counter[int] = Counter()

    def watch(self, separators: npt.NDArray[np.int64]) -> None:
        """Counts the separators of the part's first lines, and judges once there are enough of them."""
        if (seen := self._watched.total()) < _ENOUGH_LINES:
            self._watched.update(separators.tolist())
            if seen + len(separators) >= _ENOUGH_LINES:
                self.judge()

    def judge(self) -> None:
        """Raises UserError where all lines watched have the same wrong width: then the part is of another kind."""
        if len(self._watched) != 1:
            return
        found = next(iter(self._watched)) + 1
        if found == self.columns or (found == len(COLUMNS) and not self._labelled):
            return
        kind, guess = ("labelled", "; is it a test part?") if self._labelled else ("test", "")
        raise UserError(
            f"{self._part}: its lines have {found} columns, those of a {kind} part {self.columns}"
            f"{guess if found == N_TEST_COLUMNS else ''}"
        )

    def fit(self, line: bytes, number: int) -> tuple[bytes, str | None]:
        """The line with the expected columns and None, or the line and why it can't be had.

        A line of an unlabelled part may end in empty labels, which are cut off. Raises UserError where they are not
        empty: labels must never come in silently.
        """
        columns = line.count(_SEPARATOR) + 1
        if columns == self.columns:
            return line, None
        if columns == len(COLUMNS) and not self._labelled:
            if not line.endswith(NO_LABELS):
                raise UserError(f"{self._part}: line {number} (from 0) has labels; a test part must have none")
            return line.removesuffix(NO_LABELS), None
        return line, f"columns: {columns} instead of {self.columns}"


def cut_off(line: bytes, columns: int) -> str | None:
    """Why the last line of a part, which has no line end, may not be whole; None where it is.

    `columns` are those that a line must have; what is wrong with one that has others is told by their number. The last
    column must be as long as a whole one is: a time of an engagement has as many digits as that of its tweet, and a
    test line ends in true or false.
    """
    fields = line.split(_SEPARATOR)
    if len(fields) != columns:
        return None
    least = 1 if columns == N_TEST_COLUMNS else max(len(fields[_TWEETED]), 1)
    return None if len(fields[-1]) >= least else "line end: there is none, so that the last column may be cut off"
