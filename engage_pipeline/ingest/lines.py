"""The lines of a part before any column is read: each is a whole interaction, blank, or rejected.

One streaming pass over the bytes. DuckDB would fail on a carriage return, skip blank lines silently and lose the bytes
of invalid UTF-8, so it is given a file without them: the part itself where it is plain and clean, else a cleaned copy.
What does not belong here: what the columns hold (reading).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.endings import cut_off
from engage_pipeline.ingest.rejects import Reject, RejectWriter
from engage_pipeline.ingest.streams import PartStream, Readable, open_part
from engage_pipeline.ingest.widths import ExpectedWidth
from engage_pipeline.progress import progress
from engage_pipeline.schema import FIELD_SEPARATOR

MAX_LINE_BYTES = 2_000_000
"""DuckDB reads no longer lines."""
_BLOCK_BYTES = 4 << 20
_MAX_BLOCK_BYTES = 64 << 20
_BOM = b"\xef\xbb\xbf"
_SEPARATOR = FIELD_SEPARATOR.encode()
_NEWLINE = b"\n"

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CheckedLines:
    """What the pass found.

    `clean` is a file of the whole interactions only, in order: the part itself, or a copy. `dropped` are the numbers
    of the lines that are not in it, ascending: the `blank` ones and the rejected.
    """

    clean: Path
    lines: int
    blank: int
    dropped: Positions

    def line_numbers(self, ordinals: Positions) -> Positions:
        """The numbers in the part of the lines that are the `ordinals`-th (from 0) of the clean file."""
        return ordinals + np.searchsorted(self.dropped - np.arange(len(self.dropped)), ordinals, side="right")


def check_lines(part: Path, *, labelled: bool, copy: Path, rejects: RejectWriter) -> CheckedLines:
    """Checks every line of `part`, writes the bad ones to `rejects` and, if need be, the good ones to `copy`.

    Raises UserError: unreadable or damaged file, no bytes in it, labels in an unlabelled part, a part whose lines all
    have the same wrong number of columns, a line that never ends.
    """
    with (
        open_part(part) as stream,
        _Copy(stream, copy) as clean,
        progress(f"check {part.name}", None if stream.compressed else part.stat().st_size, "bytes") as tracker,
    ):
        width = ExpectedWidth(part, labelled=labelled)
        checker = _Checker(width, rejects)
        position = 0
        for block in _blocks(stream):
            clean.write(checker.clean(block, first=position == 0), original=block, position=position)
            position += len(block)
            tracker.advance(len(block))
        width.judge()
        if not checker.lines:
            raise UserError(f"{part}: the file is empty")
        dropped = np.concatenate([np.empty(0, np.int64), *checker.dropped])
        return CheckedLines(copy if clean.exists else part.resolve(), checker.lines, checker.blank, dropped)


def read_lines(part: Path, numbers: Positions) -> Iterator[bytes]:
    """The exact bytes, without line end, of the lines with these ascending `numbers`."""
    seen = 0
    with open_part(part) as stream:
        for block in _blocks(stream):
            ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord(_NEWLINE))
            lines = len(ends) + (not block.endswith(_NEWLINE))
            first, last = np.searchsorted(numbers, [seen, seen + lines])
            for index in (numbers[first:last] - seen).tolist():
                start = int(ends[index - 1]) + 1 if index else 0
                line = block[start : int(ends[index]) + 1 if index < len(ends) else None]
                line = line.removeprefix(_BOM) if seen + index == 0 else line
                yield line.removesuffix(b"\r\n") if line.endswith(b"\r\n") else line.removesuffix(_NEWLINE)
            seen += lines


def _blocks(stream: PartStream) -> Iterator[bytes]:
    """The bytes in blocks of whole lines; only the last may lack its line end. Raises UserError for endless lines."""
    rest: list[bytes] = []
    waiting = 0
    while data := stream.read(_BLOCK_BYTES):
        end = data.rfind(_NEWLINE) + 1
        if end:
            yield b"".join([*rest, data[:end]])
            rest, waiting = [], 0
        rest.append(data[end:])
        waiting += len(data) - end
        if waiting > _MAX_BLOCK_BYTES:
            raise UserError(f"{stream.path}: a line of more than {_MAX_BLOCK_BYTES:,} bytes: this is no part")
    if waiting:
        yield b"".join(rest)


class _Copy:
    """The cleaned copy of a part: begun when the first block differs from the original, or at once if compressed."""

    def __init__(self, stream: PartStream, path: Path) -> None:
        self.exists = stream.compressed
        self._part, self._path = stream.path, path
        self._file = path.open("wb") if stream.compressed else None

    def write(self, cleaned: bytes, *, original: bytes, position: int) -> None:
        """Appends a block that began at byte `position` of the part as `original`."""
        if self._file is None and cleaned is not original:
            self._file = self._path.open("wb")
            self.exists = True
            with self._part.open("rb") as part:
                self._copy_start(part, position)
        if self._file is not None:
            self._file.write(cleaned)

    def _copy_start(self, part: Readable, size: int) -> None:
        while size and self._file is not None:
            data = part.read(min(size, _BLOCK_BYTES))
            if not data:
                raise UserError(f"{self._part}: became shorter while it was read")
            self._file.write(data)
            size -= len(data)

    def __enter__(self) -> "_Copy":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


class _Checker:
    """Checks blocks of lines and counts them."""

    def __init__(self, width: ExpectedWidth, rejects: RejectWriter) -> None:
        self.lines = self.blank = 0
        self.dropped: list[Positions] = []
        self._width, self._rejects = width, rejects

    def clean(self, block: bytes, *, first: bool) -> bytes:
        """The block's good lines: the same object where nothing is wrong with it."""
        if first:
            block = block.removeprefix(_BOM)
        if b"\r\n" in block:
            block = block.replace(b"\r\n", _NEWLINE)
        if not block:
            return block
        layout = _Layout(block if block.endswith(_NEWLINE) else block + _NEWLINE)
        self._width.watch(layout.separators[layout.lengths > 0])
        suspects = layout.suspects(self._width.separators)
        cut = None if block.endswith(_NEWLINE) else cut_off(layout.last_line(), self._width.columns)
        if cut:
            suspects = np.union1d(suspects, len(layout.ends) - 1)
        kept = block if not len(suspects) else self._sort(layout, suspects, cut)
        self.lines += len(layout.ends)
        return kept

    def _sort(self, layout: "_Layout", suspects: Positions, cut: str | None) -> bytes:
        """The block without its blank and bad lines, which are counted and written to the rejects. `cut` is what is
        wrong with the end of the last one."""
        kept, dropped = [], []
        cursor = 0
        for index in suspects.tolist():
            start, end = int(layout.starts[index]), int(layout.ends[index])
            line = layout.block[start:end]
            kept.append(layout.block[cursor:start])
            cursor = end + 1
            problem = _byte_problem(line) if line else ""
            if problem is None:
                shortened, problem = self._width.fit(line, self.lines + index)
                problem = problem or (cut if index == len(layout.ends) - 1 else None)
                kept.append(shortened + _NEWLINE if problem is None else b"")
            if problem is not None:
                dropped.append(self.lines + index)
            if problem:
                self._rejects.append(Reject(self.lines + index, problem, line))
        self.dropped.append(np.array(dropped, dtype=np.int64))
        self.blank += int((layout.lengths == 0).sum())
        kept.append(layout.block[cursor:])
        return b"".join(kept)


class _Layout:
    """Where the lines of a block begin and end, and how many separators each has."""

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
        """Indices of the lines to look at singly: a byte, the length or the number of `separators` may be wrong."""
        doubtful = (self.separators != separators) | (self.lengths > MAX_LINE_BYTES) | (self.lengths == 0)
        for byte in (b"\r", b"\0"):
            if byte in self.block:
                doubtful[self._lines_of(self._bytes == ord(byte))] = True
        if not self.block.isascii() and not _is_utf8(self.block):
            doubtful[self._lines_of(self._bytes >= 0x80)] = True
        return np.flatnonzero(doubtful)

    def last_line(self) -> bytes:
        """The last line, without its end."""
        return self.block[int(self.starts[-1]) : int(self.ends[-1])]

    def _lines_of(self, at: npt.NDArray[np.bool_]) -> Positions:
        return np.unique(np.searchsorted(self.ends, np.flatnonzero(at)))


def _byte_problem(line: bytes) -> str | None:
    if len(line) > MAX_LINE_BYTES:
        return f"length: {len(line):,} bytes, more than {MAX_LINE_BYTES:,}"
    if b"\r" in line:
        return "carriage return: one without a line feed"
    if b"\0" in line:
        return "NUL: a byte 0"
    return None if _is_utf8(line) else "encoding: invalid UTF-8"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
