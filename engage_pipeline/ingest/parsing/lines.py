"""The lines of a text part, a block at a time, before any is looked at, and single lines of it.

What does not belong here: which lines can be read, and what they hold (typed_rows).
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.streams import PartStream, open_part
from engage_pipeline.locations.location import Location
from engage_pipeline.progress import progress

BOM = b"\xef\xbb\xbf"
Positions = npt.NDArray[np.int64]
BLOCK_BYTES = 6 << 20
"""Lines are read together until they have about so many bytes."""
_MAX_BLOCK_BYTES = 64 << 20
_NEWLINE = b"\n"


@dataclass(frozen=True)
class LineBlock:
    """Lines in `data`, one after the other, each with a line feed behind it; only a part's last line may lack it.

    `numbers`, int64 (lines,): the lines' numbers in the part, from 0.
    """

    data: bytes
    numbers: Positions


class PartLines:
    """The lines of one part. `lines` counts what `blocks` has read so far."""

    def __init__(self, part: Location) -> None:
        """Reads nothing yet."""
        self.lines = 0
        self._part = part

    def blocks(self) -> Generator[LineBlock]:
        """Reads the part and yields its lines, in order, without a byte order mark and with line feeds alone.

        Raises UserError: unreadable, damaged or empty file, a line without end.
        """
        with (
            open_part(self._part) as stream,
            progress(
                f"read {self._part.name}", None if stream.compressed else self._part.stat().st_size, "bytes"
            ) as tracker,
        ):
            for block in _blocks(stream):
                data = block if self.lines else block.removeprefix(BOM)
                if b"\r" in data:  # a search for one byte is ten times as fast as for two
                    data = data.replace(b"\r\n", _NEWLINE)
                if data:
                    first = self.lines
                    ends = int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord(_NEWLINE)))
                    self.lines += ends + (not data.endswith(_NEWLINE))
                    yield LineBlock(data, np.arange(first, self.lines))
                tracker.advance(len(block))
        if not self.lines:
            raise UserError(f"{self._part}: the file is empty")


def count_lines(part: Location) -> int:
    """Returns the number of lines of a part from its line ends. Raises UserError: unreadable or damaged file."""
    lines, last = 0, _NEWLINE
    with open_part(part) as stream:
        while data := stream.read(BLOCK_BYTES):
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
    while data := stream.read(BLOCK_BYTES):
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
