"""How many lines of a part may be rejected: known as soon as it matters, however the part is compressed.

What does not belong here: why a line is rejected (parsing), and what is told of a part that fails
(rejected_part).
"""

from pathlib import Path

from engage_pipeline.ingest.parsing.lines import count_lines

MANY = 10_000
"""Rejected lines for which it pays to count the lines of a part ahead: a part with fewer is read to its end."""


class TooManyRejectsError(Exception):
    """The part fails whatever its other lines hold. Never shown: the part is then told of as one that was read."""


class RejectLimit:
    """The share of a part's lines that may be rejected, as a number of lines.

    How many lines a part has is known at its end. Where many are rejected, its line ends are counted ahead, once: that
    takes a small part of the time of reading them, and no memory.
    """

    def __init__(self, part: Path, share: float) -> None:
        """Nothing is read yet."""
        self.lines: int | None = None
        self._part, self._share = part, share
        self._judge_at = MANY

    def check(self, rejected: int) -> None:
        """Raises TooManyRejectsError where more lines are rejected than all lines of the part allow.

        Raises UserError where the lines can't be counted: the part is damaged.
        """
        if rejected < self._judge_at:
            return
        if self.lines is None:
            self.lines = count_lines(self._part)
        if self.exceeded(rejected, self.lines):
            raise TooManyRejectsError
        self._judge_at = max(int(self._share * self.lines), rejected + 1)

    def exceeded(self, rejected: int, lines: int) -> bool:
        """Whether so many of so many lines are too many."""
        return rejected > self._share * lines
