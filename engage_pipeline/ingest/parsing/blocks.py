"""Whole interactions of a part as bytes, and where their columns lie in them: what goes from the check of the lines to
the reading of their columns, at once or by way of a sort.

What does not belong here: which lines are whole (lines), and what the columns hold (fields).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.schema import COLUMNS, FIELD_SEPARATOR, N_TEST_COLUMNS

NO_LABELS = FIELD_SEPARATOR.encode() * (len(COLUMNS) - N_TEST_COLUMNS)
"""What a test line ends in where it has the four columns of the labels, which must be empty."""
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LineBlock:
    """`n` lines, one after the other in `data`, which holds nothing else and fewer than 2^31 bytes.

    `ends`, int (n, columns), are the positions in `data` of the byte behind each column: a separator, for the last one
    the line end. `numbers`, int64 (n,), are the numbers of the lines in the part, from 0. `shortened`, bool (n,), are
    the lines that end in NO_LABELS in the part and not here; None where there are none.
    """

    data: bytes | pa.Buffer
    ends: npt.NDArray[np.signedinteger]
    numbers: Positions
    shortened: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """How many lines."""
        return len(self.numbers)

    @cached_property
    def starts(self) -> npt.NDArray[np.signedinteger]:
        """Where each line begins: shape (n,)."""
        return np.concatenate([[0], self.ends[:-1, -1] + 1])

    def line(self, place: int) -> bytes:
        """The bytes, without line end, that one line has in the part."""
        end = b"" if self.shortened is None or not self.shortened[place] else NO_LABELS
        return bytes(memoryview(self.data)[int(self.starts[place]) : int(self.ends[place, -1])]) + end

    def longest(self, index: int) -> int:
        """The bytes of the longest text of one column."""
        return int((self.ends[:, index] - self._begins[:, index]).max(initial=0))

    def column(self, index: int) -> pa.StringArray:
        """The text of one column; null where it is empty."""
        return self._texts.take(self._places(index, self._fields, self.ends[:, index] == self._begins[:, index]))

    def column_with_end(self, index: int) -> pa.StringArray:
        """The text of one column and the byte behind it; null where it is empty."""
        return self._ended_texts.take(self._places(index, 1, self.ends[:, index] == self._begins[:, index]))

    _fields = 2

    @cached_property
    def _begins(self) -> npt.NDArray[np.signedinteger]:
        begins = np.empty_like(self.ends)
        begins[:, 0] = self.starts
        begins[:, 1:] = self.ends[:, :-1] + 1
        return begins

    @cached_property
    def _texts(self) -> pa.StringArray:
        """Every column of every line, each followed by its end, as strings over `data` itself."""
        bounds = np.stack([self._begins, self.ends], axis=-1)
        return self._strings(bounds)

    @cached_property
    def _ended_texts(self) -> pa.StringArray:
        """Every column of every line with its end, as strings over `data` itself."""
        return self._strings(self._begins)

    def _strings(self, bounds: npt.NDArray[np.signedinteger]) -> pa.StringArray:
        offsets = np.empty(bounds.size + 1, dtype=np.int32)
        offsets[:-1] = bounds.ravel()
        offsets[-1] = len(self.data) if isinstance(self.data, bytes) else self.data.size
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.string(), bounds.size, buffers)

    def _places(self, index: int, step: int, empty: npt.NDArray[np.bool_]) -> pa.Int32Array:
        """Where the texts of a column stand among all; null where they are empty."""
        n, columns = self.ends.shape
        places = np.arange(index * step, n * columns * step, columns * step, dtype=np.int32)
        return pa.array(places, mask=empty)
