"""How many columns a line must have, and what to make of lines that have others."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from engage_pipeline.errors import UserError
from engage_pipeline.schema import COLUMNS, FIELD_SEPARATOR, N_TEST_COLUMNS

_SEPARATOR = FIELD_SEPARATOR.encode()
_NO_LABELS = _SEPARATOR * (len(COLUMNS) - N_TEST_COLUMNS)


class ExpectedWidth:
    """The width of a part's lines: all columns where it is labelled, else those before the labels."""

    def __init__(self, part: Path, *, labelled: bool) -> None:
        """Of the lines of `part`."""
        self.columns = len(COLUMNS) if labelled else N_TEST_COLUMNS
        self.separators = self.columns - 1
        self._part, self._labelled, self._watched = part, labelled, False

    def watch(self, separators: npt.NDArray[np.int64]) -> None:
        """Looks at the first lines of the part, which have so many separators.

        Raises UserError where all have the same wrong number, because then the whole part is of another kind.
        """
        if self._watched or not len(separators):
            return
        self._watched = True
        found = int(separators[0]) + 1
        if (separators == separators[0]).all() and found not in self._accepted():
            kind = "labelled" if self._labelled else "test"
            guess = {N_TEST_COLUMNS: "; is it a test part?"}.get(found, "") if self._labelled else ""
            raise UserError(
                f"{self._part}: its lines have {found} columns, those of a {kind} part {self.columns}{guess}"
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
            if not line.endswith(_NO_LABELS):
                raise UserError(f"{self._part}: line {number} (from 0) has labels; a test part must have none")
            return line.removesuffix(_NO_LABELS), None
        return line, f"columns: {columns} instead of {self.columns}"

    def _accepted(self) -> tuple[int, ...]:
        return (self.columns,) if self._labelled else (self.columns, len(COLUMNS))
