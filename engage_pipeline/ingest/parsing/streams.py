"""The decompressed bytes of a part.

`.gz` and `.zst` are read in this process, `.lzo` through Debian's `lzop`. What does not belong here: lines.
"""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import COMPRESSIONS
from engage_pipeline.locations.location import Location

_FED_BYTES = 1 << 20
_CODECS = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x89LZO\x00": "lzop",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
    b"PAR1": "Parquet",
}
"""First bytes of files that can't be parts: \\x89, \\xfd and \\x8b can't occur there in UTF-8, and no part begins with
the other ones."""


class Readable(Protocol):
    """Anything with `read`."""

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes; none at the end."""


@dataclass(frozen=True)
class PartStream:
    """An open part. `compressed`: whether the bytes differ from the file's."""

    path: Location
    compressed: bool
    source: Readable

    def read(self, size: int) -> bytes:
        """Returns at most `size` bytes of the part; none at its end. Raises UserError: damaged archive."""
        try:
            return self.source.read(size)
        except (OSError, EOFError) as error:
            what = "damaged or truncated archive" if self.compressed else "can't be read"
            raise UserError(f"{self.path}: {what}: {' '.join(str(error).split())}") from error


@contextmanager
def open_part(path: Location) -> Iterator[PartStream]:
    """Opens a part for reading its decompressed bytes.

    Raises UserError: unreadable or empty file, damaged archive, compression without the right suffix, no lzop.
    """
    with ExitStack() as stack:
        try:
            stream = _opened(path, stack)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror or error}") from error
        yield stream


def _opened(path: Location, stack: ExitStack) -> PartStream:
    """Returns the open part; `stack` closes it."""
    file = stack.enter_context(path.open("rb"))
    _check_start(path, file.read(8))
    file.seek(0)
    if path.suffix in _CODECS:
        unpacking = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), _CODECS[path.suffix])
        return PartStream(path, True, stack.enter_context(unpacking))
    if path.suffix == ".lzo":
        return PartStream(path, True, stack.enter_context(_lzop(path, file)))
    return PartStream(path, False, file)


def _check_start(path: Location, start: bytes) -> None:
    if not start:
        raise UserError(f"{path}: the file is empty")
    if path.suffix not in COMPRESSIONS:
        for magic, format_name in _MAGIC.items():
            if start.startswith(magic):
                raise UserError(
                    f"{path}: is {format_name}, not text; a part is plain text or compressed with the suffix .gz, "
                    ".zst or .lzo"
                )


def require_lzop(path: Location) -> str:
    """Returns the path of lzop if the part needs it, else "". Raises UserError: lzop is not installed."""
    program = shutil.which("lzop") if path.suffix == ".lzo" else ""
    if program is None:
        raise UserError(f"{path}: to read .lzo, install Debian's package lzop, or decompress the part first")
    return program


@contextmanager
def _lzop(path: Location, file: IO[bytes]) -> Iterator[Readable]:
    program = require_lzop(path)
    local = isinstance(path, Path)
    if local:
        os.lseek(file.fileno(), 0, os.SEEK_SET)  # lzop reads from the descriptor's offset; our buffer has moved it
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - a fixed command without a shell
            [program, "-dc"],
            stdin=file if local else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            process_group=0,  # Ctrl-C must not look like a damaged archive
        )
        feeder = None
        if process.stdin is not None:
            feeder = _Feeder(file, process.stdin)
            process.stdin = None  # the feeder closes it
        try:
            yield _LzopOutput(process, complaints, feeder)
        finally:
            process.kill()
            process.communicate()
            if feeder:
                feeder.join()


class _Feeder(threading.Thread):
    """Gives an object's bytes to lzop, which can't read it by itself."""

    def __init__(self, file: IO[bytes], pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.error: UserError | None = None
        self._file, self._pipe = file, pipe
        self.start()

    def run(self) -> None:
        """Copies all; an error ends lzop's input and is kept."""
        with suppress(BrokenPipeError), self._pipe:
            try:
                shutil.copyfileobj(self._file, self._pipe, _FED_BYTES)
            except UserError as error:
                self.error = error


class _LzopOutput:
    """The output of lzop; its end counts as the part's end only if lzop succeeded."""

    def __init__(self, process: subprocess.Popen[bytes], complaints: IO[bytes], feeder: _Feeder | None) -> None:
        self._process, self._complaints, self._feeder = process, complaints, feeder

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes. Raises OSError with lzop's message, or the UserError of its input."""
        pipe = self._process.stdout
        data = pipe.read(size) if pipe is not None else b""
        if not data and self._feeder:
            self._feeder.join()
            if self._feeder.error:
                raise self._feeder.error
        if not data and self._process.wait() != 0:
            self._complaints.seek(0)
            raise OSError(self._complaints.read(500).decode(errors="replace") or "lzop failed")
        return data
