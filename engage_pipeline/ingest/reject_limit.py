"""How many lines of a part may be rejected; a part with too many is given up early.

What does not belong here: why a line is rejected (parsing), and the message on a failed part (rejected_part).
"""

from engage_pipeline.ingest.parsing.part_rows import count_rows
from engage_pipeline.locations.location import Location

MANY = 10_000
"""From this many rejects on, counting the part's lines ahead pays off; a part with fewer is read to its end."""


class TooManyRejectsError(Exception):
    """The part fails whatever its other lines hold. Never shown: part_ingest reports the failed part."""


class RejectLimit:
    """The share of a part's lines that may be rejected, as a number of lines.

    The number of lines is known only at the end. When many lines are rejected, the line ends are counted ahead, once,
    which is far faster than reading the lines and needs no memory.
    """

    def __init__(self, part: Location, share: float) -> None:
        """Reads nothing yet. `share`: the share of lines that may be rejected."""
        self.lines: int | None = None
        self._part, self._share = part, share
        self._judge_at = MANY

    def check(self, rejected: int) -> None:
        """Raises TooManyRejectsError if `rejected` lines are too many for the whole part.

        Raises UserError: the part is damaged, so its lines can't be counted.
        """
        if rejected < self._judge_at:
            return
        if self.lines is None:
            self.lines = count_rows(self._part)
        if self.exceeded(rejected, self.lines):
            raise TooManyRejectsError
        self._judge_at = max(int(self._share * self.lines), rejected + 1)

    def exceeded(self, rejected: int, lines: int) -> bool:
        """Returns whether `rejected` of `lines` lines are too many."""
        return rejected > self._share * lines
