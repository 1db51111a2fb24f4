"""The rows of a stretch in memory: all of them, or the share of one of several processes."""

from collections.abc import Iterator, Sequence

import numpy as np

from engage_pipeline.model.network.rows import Rows, Rule, concatenate, stream_rows
from engage_pipeline.model.network.schedule import Stretch


class RowBuffer:
    """Holds the rows of one stretch at a time, read from its feature files a row group at a time."""

    def __init__(self, languages: Sequence[str], further: Sequence[str] = (), rule: Rule | None = None) -> None:
        """Holds nothing yet. `further` are the counters beyond the reference; `rule` chooses validation rows."""
        self.languages, self.further, self.rule = languages, further, rule
        self._held: tuple[Stretch, np.ndarray, Rows] | None = None

    def rows(self, stretch: Stretch, positions: np.ndarray) -> Rows:
        """Returns the rows at `positions`, ascending, of the stretch.

        They are read anew unless they are those of the last call, such as in another pass over all rows.
        """
        if self._held is not None:
            before, held, rows = self._held
            if before.ranges == stretch.ranges and np.array_equal(held, positions):
                return rows
        self._held = None  # freed before others are read
        rows = concatenate(self._pieces(stretch, positions), len(positions))
        self._held = stretch, positions, rows
        return rows

    def _pieces(self, stretch: Stretch, positions: np.ndarray) -> Iterator[Rows]:
        begin = 0
        for part in stretch.ranges:
            found = stream_rows(
                part.path, self.languages, start=part.start, stop=part.stop, rule=self.rule, further=self.further
            )
            for rows in found:
                first, last = np.searchsorted(positions, (begin, begin + len(rows)))
                yield rows if last - first == len(rows) else rows.take(positions[first:last] - begin)
                begin += len(rows)
