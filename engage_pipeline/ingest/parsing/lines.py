"""The lines of a part before any column is read: each is well-formed, blank, or rejected.

One streaming pass over the bytes also finds the columns of the well-formed lines. What does not belong here: what the
columns hold (fields).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.blocks import BOM, LineBlock, Positions, read_texts
from engage_pipeline.ingest.parsing.line_rules import ExpectedWidth, cut_off
from engage_pipeline.ingest.parsing.streams import PartStream, open_part
from engage_pipeline.ingest.parsing.values import is_utf8
from engage_pipeline.ingest.rejects import Reject, RejectWriter
from engage_pipeline.locations.location import Location
from engage_pipeline.progress import progress
from engage_pipeline.schema import FIELD_SEPARATOR

MAX_LINE_BYTES = 2_000_000
"""An interaction has about 500 bytes; a line beyond this limit can't be one, and would take much memory."""
_BLOCK_BYTES = 3 << 19
_MAX_BLOCK_BYTES = 64 << 20
_SEPARATOR = FIELD_SEPARATOR.encode()
_NEWLINE = b"\n"


class PartLines:
    """The lines of one part. `lines` and `blank` count what `blocks` has read so far."""

    def __init__(self, part: Location, *, labelled: bool, rejects: RejectWriter) -> None:
        """Reads nothing yet; `blocks` writes malformed lines to `rejects`."""
        self._part = part
        self._width = ExpectedWidth(part, labelled=labelled)
        self._checker = _Checker(self._width, rejects)

    @property
    def lines(self) -> int:
        """The number of lines read so far."""
        return self._checker.lines

    @property
    def blank(self) -> int:
        """The number of blank lines read so far."""
        return self._checker.blank

    def blocks(self) -> Iterator[LineBlock]:
        """Reads the part and yields its well-formed lines, in order.

        Raises UserError: unreadable, damaged or empty file, labels in an unlabelled part, the same wrong number of
        columns in all lines, a line without end.
        """
        with (
            open_part(self._part) as stream,
            progress(
                f"read {self._part.name}", None if stream.compressed else self._part.stat().st_size, "bytes"
            ) as tracker,
        ):
            for block in _blocks(stream):
                if clean := self._checker.clean(block):
                    yield clean
                tracker.advance(len(block))
            self._width.judge()
        if not self.lines:
            raise UserError(f"{self._part}: the file is empty")


def count_lines(part: Location) -> int:
    """Returns the number of lines of a part from its line ends. Raises UserError: unreadable or damaged file."""
    lines, last = 0, _NEWLINE
    with open_part(part) as stream:
        while data := stream.read(_BLOCK_BYTES):
            lines += data.count(_NEWLINE)
            last = data[-1:]
    return lines + (last != _NEWLINE)


def read_lines(part: Location, numbers: Positions) -> Iterator[bytes]:
    """Yields the exact bytes, without line end, of the lines with these ascending `numbers`."""
    seen = 0
    with open_part(part) as stream:
        for block in _blocks(stream):
            ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord(_NEWLINE))
            lines = len(ends) + (not block.endswith(_NEWLINE))
            first, last = np.searchsorted(numbers, [seen, seen + lines])
            for index in (numbers[first:last] - seen).tolist():
                start = int(ends[index - 1]) + 1 if index else 0
                line = block[start : int(ends[index]) + 1 if index < len(ends) else None]
                line = line.removeprefix(BOM) if seen + index == 0 else line
                yield line.removesuffix(b"\r\n") if line.endswith(b"\r\n") else line.removesuffix(_NEWLINE)
            seen += lines


def _blocks(stream: PartStream) -> Iterator[bytes]:
    """Yields blocks of whole lines; only the last may lack its line end. Raises UserError: a line without end."""
    rest: list[bytes] = []
    waiting = 0
    while data := stream.read(_BLOCK_BYTES):
        end = data.rfind(_NEWLINE) + 1
        if end:
            yield b"".join([*rest, memoryview(data)[:end]])
            rest, waiting = [], 0
        rest.append(data[end:])
        waiting += len(data) - end
        if waiting > _MAX_BLOCK_BYTES:
            raise UserError(f"{stream.path}: a line of more than {_MAX_BLOCK_BYTES:,} bytes; is this a part?")
    if waiting:
        yield b"".join(rest)


class _Checker:
    """Checks blocks of lines and counts them."""

    def __init__(self, width: ExpectedWidth, rejects: RejectWriter) -> None:
        self.lines = self.blank = 0
        self._width, self._rejects = width, rejects

    def clean(self, block: bytes) -> LineBlock | None:
        """Returns the block's well-formed lines; None if it has none."""
        if not self.lines:
            block = block.removeprefix(BOM)
        if b"\r" in block:  # a search for one byte is ten times as fast as for two
            block = block.replace(b"\r\n", _NEWLINE)
        if not block:
            return None
        texts = self._whole(block)
        if texts is not None:
            self._width.watch(np.full(len(texts), self._width.separators))
            return LineBlock(texts, self._numbers(len(texts)), block)
        return self._line_by_line(block)

    def _whole(self, block: bytes) -> pa.Table | None:
        """Returns the texts of a block whose every line is well-formed; None if one may not be."""
        if not block.endswith(_NEWLINE) or byte_problem(block) is not None:
            return None
        try:
            texts = read_texts(block, self._width.columns)
        except pa.ArrowInvalid:
            return None
        # Of a blank line every text is null. A search for two bytes is slow.
        blank = texts.column(0).null_count and (block.startswith(_NEWLINE) or 2 * _NEWLINE in block)
        return None if blank else texts

    def _numbers(self, lines: int) -> Positions:
        """Counts the lines and returns their numbers."""
        self.lines += lines
        return np.arange(self.lines - lines, self.lines)

    def _line_by_line(self, block: bytes) -> LineBlock | None:
        """Returns the well-formed lines of a block of whatever lines; None if it has none."""
        layout = _Layout(block if block.endswith(_NEWLINE) else block + _NEWLINE)
        self._width.watch(layout.separators[layout.lengths > 0])
        suspects = layout.suspects(self._width.separators)
        cut = None if block.endswith(_NEWLINE) else cut_off(layout.last_line(), self._width.columns)
        if cut:
            suspects = np.union1d(suspects, len(layout.ends) - 1)
        numbers = self._numbers(len(layout.ends))
        kept, dropped, short = self._sort(layout, suspects, numbers, cut)
        if not kept:
            return None
        shortened = np.delete(np.isin(numbers, short), dropped) if short else None
        return LineBlock(read_texts(kept, self._width.columns), np.delete(numbers, dropped), kept, shortened)

    def _sort(
        self, layout: "_Layout", suspects: Positions, numbers: Positions, cut: str | None
    ) -> tuple[bytes, list[int], list[int]]:
        """Counts blank lines and writes malformed lines to the rejects.

        Returns the block without these lines, their indices in the block, and the numbers of the lines whose empty
        labels were cut off. `cut` is the problem of a last line without line end, which is a block of its own.
        """
        kept, dropped, short = [], [], []
        cursor = 0
        for index in suspects.tolist():
            start, end = int(layout.starts[index]), int(layout.ends[index])
            line = layout.block[start:end]
            kept.append(layout.block[cursor:start])
            cursor = end + 1
            problem = byte_problem(line) if line else ""
            if problem is None:
                fitted, problem = self._width.fit(line, int(numbers[index]))
                problem = problem or cut
                kept.append(fitted + _NEWLINE if problem is None else b"")
                if len(fitted) < len(line):
                    short.append(int(numbers[index]))
            if problem is not None:
                dropped.append(index)
            if problem:
                self._rejects.append(Reject(int(numbers[index]), problem, line))
        self.blank += int((layout.lengths == 0).sum())
        kept.append(layout.block[cursor:])
        return b"".join(kept), dropped, short


class _Layout:
    """The lines of a block: where each begins and ends, and how many separators it has."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        self._bytes = np.frombuffer(block, dtype=np.uint8)
        marks = np.flatnonzero((self._bytes == ord(_SEPARATOR)) | (self._bytes == ord(_NEWLINE)))
        at_end = np.flatnonzero(self._bytes[marks] == ord(_NEWLINE))
        self.ends = marks[at_end]
        self.starts = np.concatenate([[0], self.ends[:-1] + 1])
        self.separators = np.diff(at_end, prepend=-1) - 1
        self.lengths = self.ends - self.starts

    def suspects(self, separators: int) -> Positions:
        """Returns the indices of lines to check one by one: a byte, the length or the `separators` may be wrong."""
        doubtful = (self.separators != separators) | (self.lengths > MAX_LINE_BYTES) | (self.lengths == 0)
        for byte in (b"\r", b"\0"):
            if byte in self.block:
                doubtful[self._lines_of(self._bytes == ord(byte))] = True
        if not is_utf8(self.block):
            doubtful[self._lines_of(self._bytes >= 0x80)] = True
        return np.flatnonzero(doubtful)

    def last_line(self) -> bytes:
        """Returns the last line, without its end."""
        return self.block[int(self.starts[-1]) : int(self.ends[-1])]

    def _lines_of(self, at: npt.NDArray[np.bool_]) -> Positions:
        return np.unique(np.searchsorted(self.ends, np.flatnonzero(at)))


def byte_problem(line: bytes) -> str | None:
    """Returns why a line is malformed by its bytes, or why a block of lines may hold such a line; None if not."""
    if len(line) > MAX_LINE_BYTES:
        return f"length: {len(line):,} bytes, more than {MAX_LINE_BYTES:,}"
    if b"\r" in line:
        return "carriage return: one without a line feed"
    if b"\0" in line:
        return "NUL: a byte 0"
    return None if is_utf8(line) else "encoding: invalid UTF-8"
