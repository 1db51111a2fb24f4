"""The rows of a stretch in memory: all of them, or the share of one of several processes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engage_pipeline.model.network.rows import RowReader, Rows, Rule, concatenate
from engage_pipeline.model.network.schedule import Stretch


@dataclass(frozen=True)
class _Held:
    stretch: Stretch
    positions: np.ndarray
    rows: Rows

    def is_of(self, stretch: Stretch, positions: np.ndarray) -> bool:
        return self.stretch.ranges == stretch.ranges and np.array_equal(self.positions, positions)


class RowBuffer:
    """Holds the rows of one stretch at a time, read from its feature files a row group at a time."""

    def __init__(self, reader: RowReader, rule: Rule | None = None) -> None:
        """Holds nothing yet. `rule` chooses validation rows."""
        self.reader, self.rule = reader, rule
        self._held: _Held | None = None

    def rows(self, stretch: Stretch, positions: np.ndarray) -> Rows:
        """Returns the rows at `positions`, ascending, of the stretch.

        They are read anew unless they are those of the last call, such as in another pass over all rows.
        """
        if self._held is None or not self._held.is_of(stretch, positions):
            self._held = None  # no other reference is left: freed before others are read
            self._held = _Held(stretch, positions, concatenate(self._pieces(stretch, positions), len(positions)))
        return self._held.rows

    def _pieces(self, stretch: Stretch, positions: np.ndarray) -> Iterator[Rows]:
        begin = 0
        for part in stretch.ranges:
            for rows in self.reader.stream(part.path, start=part.start, stop=part.stop, rule=self.rule):
                first, last = np.searchsorted(positions, (begin, begin + len(rows)))
                yield rows if last - first == len(rows) else rows.take(positions[first:last] - begin)
                begin += len(rows)
