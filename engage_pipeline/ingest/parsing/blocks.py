"""Checked rows of a part as the texts of their columns.

The line check, or the reader of Parquet parts, makes these blocks, and the column reader consumes them. What does not
belong here: which lines are well-formed (lines, parquet_rows), and what the columns hold (fields).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from engage_pipeline.schema import COLUMNS, FIELD_SEPARATOR, N_TEST_COLUMNS

NO_LABELS = FIELD_SEPARATOR.encode() * (len(COLUMNS) - N_TEST_COLUMNS)
"""The end of a test line that has the four label columns, which must be empty."""
BOM = b"\xef\xbb\xbf"
Positions = npt.NDArray[np.int64]
_PARSING = pa.csv.ParseOptions(
    delimiter=FIELD_SEPARATOR, quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False
)


@dataclass(frozen=True)
class TextBlock(ABC):
    """`n` rows of a part, in order.

    `texts`, n rows: a string column for each column of the part, null where the text is empty. `numbers`, int64 (n,):
    the rows' numbers in the part, from 0.
    """

    texts: pa.Table
    numbers: Positions

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.numbers)

    @abstractmethod
    def line(self, place: int) -> bytes:
        """Returns the bytes of one row as a line of the text format, without line end."""

    def columns(self, indices: Sequence[int]) -> pa.StringArray:
        """Returns the texts of k columns, one column after the other, (k * n,); null where the text is empty."""
        return pa.concat_arrays([chunk for index in indices for chunk in self.texts.column(index).chunks])

    def column_with_end(self, index: int) -> pa.StringArray:
        """Returns the texts of one column, each with the FIELD_SEPARATOR behind it; null where the text is empty."""
        return pc.binary_join_element_wise(self.columns([index]), "", FIELD_SEPARATOR)


@dataclass(frozen=True)
class LineBlock(TextBlock):
    """Consecutive lines in `data`, which holds nothing else and fewer than 2^31 bytes.

    `shortened`, bool (n,): whether NO_LABELS was cut off the line's end; None if it was cut off no line.
    """

    data: bytes
    shortened: npt.NDArray[np.bool_] | None = None

    def line(self, place: int) -> bytes:
        """Returns the bytes of one line as they are in the part, without line end."""
        end = b"" if self.shortened is None or not self.shortened[place] else NO_LABELS
        return self.data[int(self._ends[place - 1]) + 1 if place else 0 : int(self._ends[place])] + end

    @cached_property
    def _ends(self) -> Positions:
        return np.flatnonzero(np.frombuffer(self.data, dtype=np.uint8) == ord("\n"))


def read_texts(data: bytes, columns: int) -> pa.Table:
    """Returns the texts of the lines in `data` as LineBlock has them.

    `data` is UTF-8 without carriage returns and ends with a line end. Texts of a blank line are null. Raises
    pyarrow.ArrowInvalid if a line has another number of columns.
    """
    names = [str(index) for index in range(columns)]
    data = BOM + data if data.startswith(BOM) else data  # the reader skips the first one
    texts = pa.csv.ConvertOptions(
        check_utf8=False,
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    reading = pa.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names)
    # Not read_csv, which sets a signal handler of its own: a Ctrl-C in these milliseconds would be lost.
    return pa.csv.open_csv(pa.BufferReader(data), reading, _PARSING, texts).read_all()
