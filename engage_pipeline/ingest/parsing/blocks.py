"""Checked lines of a part as bytes, with the positions of their columns.

The line check makes these blocks, and the column reader consumes them. What does not belong here: which lines are
well-formed (lines), and what the columns hold (fields).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.schema import COLUMNS, FIELD_SEPARATOR, N_TEST_COLUMNS

NO_LABELS = FIELD_SEPARATOR.encode() * (len(COLUMNS) - N_TEST_COLUMNS)
"""The end of a test line that has the four label columns, which must be empty."""
Positions = npt.NDArray[np.int64]
Ends = npt.NDArray[np.int32]


@dataclass(frozen=True)
class LineBlock:
    """`n` consecutive lines in `data`, which holds nothing else and fewer than 2^31 bytes.

    `ends`, int32 (n, columns): positions in `data` of the byte behind each column, a separator or, for the last column,
    the line end. `numbers`, int64 (n,): the lines' numbers in the part, from 0. `shortened`, bool (n,): whether
    NO_LABELS was cut off the line's end; None if it was cut off no line.
    """

    data: bytes
    ends: Ends
    numbers: Positions
    shortened: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Returns the number of lines."""
        return len(self.numbers)

    @cached_property
    def starts(self) -> Ends:
        """The position in `data` where each line begins, int32 (n,)."""
        return np.append(np.int32(0), self.ends[:-1, -1] + np.int32(1))

    def line(self, place: int) -> bytes:
        """Returns the bytes of one line as they are in the part, without line end."""
        end = b"" if self.shortened is None or not self.shortened[place] else NO_LABELS
        return self.data[int(self.starts[place]) : int(self.ends[place, -1])] + end

    def longest(self, indices: Sequence[int]) -> int:
        """Returns the length of the longest text of some columns, in bytes."""
        return int(self._lengths[:, indices].max(initial=0))

    def columns(self, indices: Sequence[int]) -> pa.StringArray:
        """Returns the texts of k columns, one column after the other, (k * n,); null where the text is empty."""
        return self._texts.take(self._places(indices, 2))

    def columns_with_end(self, indices: Sequence[int]) -> pa.StringArray:
        """Returns the same texts, each with the byte behind it."""
        return self._strings(self._begins).take(self._places(indices, 1))

    @cached_property
    def _lengths(self) -> Ends:
        return self.ends - self._begins

    @cached_property
    def _begins(self) -> Ends:
        begins = np.empty_like(self.ends)
        begins[:, 0] = self.starts
        begins[:, 1:] = self.ends[:, :-1] + np.int32(1)
        return begins

    @cached_property
    def _texts(self) -> pa.StringArray:
        """Every column of every line, each followed by its end, as strings over `data` itself."""
        return self._strings(np.stack([self._begins, self.ends], axis=-1))

    def _strings(self, bounds: Ends) -> pa.StringArray:
        """Returns the texts between neighbouring `bounds`, as strings over `data` itself."""
        offsets = np.append(bounds.ravel(), np.int32(len(self.data)))
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.string(), bounds.size, buffers)

    def _places(self, indices: Sequence[int], step: int) -> pa.Int32Array:
        """Returns the index of each text of some columns among the texts of all; null where the text is empty.

        There are `step` texts a column.
        """
        n, columns = self.ends.shape
        of_line = np.arange(0, n * columns * step, columns * step, dtype=np.int32)
        places = np.array(indices, np.int32)[:, None] * np.int32(step) + of_line
        return pa.array(places.ravel(), mask=(self._lengths[:, indices] == 0).T.ravel())
