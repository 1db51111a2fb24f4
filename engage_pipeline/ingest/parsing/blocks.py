"""Checked lines of a part as bytes, with the positions of their columns.

The line check makes these blocks, a sort may reorder them, and the column reader consumes them. What does not belong
here: which lines are well-formed (lines), and what the columns hold (fields).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.schema import COLUMNS, FIELD_SEPARATOR, N_TEST_COLUMNS

NO_LABELS = FIELD_SEPARATOR.encode() * (len(COLUMNS) - N_TEST_COLUMNS)
"""The end of a test line that has the four label columns, which must be empty."""
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LineBlock:
    """`n` consecutive lines in `data`, which holds nothing else and fewer than 2^31 bytes.

    `ends`, int (n, columns): positions in `data` of the byte behind each column, a separator or, for the last column,
    the line end. `numbers`, int64 (n,): the lines' numbers in the part, from 0. `shortened`, bool (n,): whether
    NO_LABELS was cut off the line's end; None if it was cut off no line.
    """

    data: bytes | pa.Buffer
    ends: npt.NDArray[np.signedinteger]
    numbers: Positions
    shortened: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Returns the number of lines."""
        return len(self.numbers)

    @cached_property
    def starts(self) -> npt.NDArray[np.signedinteger]:
        """The position in `data` where each line begins, int (n,)."""
        return np.concatenate([[0], self.ends[:-1, -1] + 1])

    def line(self, place: int) -> bytes:
        """Returns the bytes of one line as they are in the part, without line end."""
        end = b"" if self.shortened is None or not self.shortened[place] else NO_LABELS
        return bytes(memoryview(self.data)[int(self.starts[place]) : int(self.ends[place, -1])]) + end

    def longest(self, index: int) -> int:
        """Returns the length of the longest text of one column, in bytes."""
        return int((self.ends[:, index] - self._begins[:, index]).max(initial=0))

    def column(self, index: int) -> pa.StringArray:
        """Returns the texts of one column, (n,); null where the text is empty."""
        return self._texts.take(self._places(index, self._fields, self.ends[:, index] == self._begins[:, index]))

    def column_with_end(self, index: int) -> pa.StringArray:
        """Returns the texts of one column, each with the byte behind it, (n,); null where the text is empty."""
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
        """Returns the index of each text of a column among the texts of all columns; null where the text is empty."""
        n, columns = self.ends.shape
        places = np.arange(index * step, n * columns * step, columns * step, dtype=np.int32)
        return pa.array(places, mask=empty)
