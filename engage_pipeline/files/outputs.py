"""The output of a command: a file, an object of a store, a pipe, a device, or standard output (`-`).

A regular file, or an object, appears whole or not at all; a symbolic link stays, its target is replaced. Pipes and
character devices are written to directly. What does not belong here: artifacts, which are folders of the store.
"""

import io
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.locations.location import Location, ObjectPath

if TYPE_CHECKING:
    from typing_extensions import Buffer

STDOUT = Path("-")
_DESCRIPTOR = re.compile(r"/proc/(self|thread-self|\d+)(/task/\d+)?/fd/\d+")
_BUFFER = 1 << 20
_MOST_LINKS = 40
"""The most symbolic links that Linux follows."""


class StdoutClosedError(UserError):
    """The reader of standard output has ended, such as `head`: nobody needs the rest."""


@dataclass(frozen=True)
class Output:
    """A checked place to write to. `target`: the regular file or the object to make; None = a stream.

    `is_stdout`: the output goes to standard output, so nothing else may be printed there.
    """

    path: Location
    target: Location | None
    is_stdout: bool = False

    def put(self, file: Path) -> None:
        """Moves a finished file, which lies in `draft_folder`, to the target. Raises UserError: a store refuses it."""
        if isinstance(self.target, Path):
            atomic.put_in_place(file, self.target)
        elif self.target is not None:
            self.target.upload(file)

    def draft_folder(self, otherwise: Path) -> Path:
        """Returns the folder in which to write the target first: its own, or `otherwise` if it is not on this disk."""
        return self.target.parent if isinstance(self.target, Path) else otherwise

    def refuse_among(self, inputs: Iterable[Location], folders: Iterable[Path] = ()) -> None:
        """Raises UserError if writing here would replace one of the files `inputs`, or a file below one of `folders`,
        which hold published artifacts. A standard output that the shell leads to an input counts too."""
        if any(self._replaces(one) for one in inputs):
            raise UserError(f"{self.path}: is an input; give another output")
        target = self.target.resolve() if isinstance(self.target, Path) else None
        if target is not None and any(target.is_relative_to(folder.resolve()) for folder in folders):
            raise UserError(f"{self.path}: leads into the published artifacts; give another output")

    def _replaces(self, other: Location) -> bool:
        if isinstance(other, ObjectPath) or isinstance(self.target, ObjectPath):
            return str(other) == str(self.target)  # without credentials and options
        try:
            own = os.fstat(1) if self.is_stdout else Path(str(self.target or self.path)).stat()
            return stat.S_ISREG(own.st_mode) and os.path.samestat(own, other.stat())
        except OSError:
            return False

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """Opens the stream; a pipe waits for its reader. Raises UserError if it can't be written to."""
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
            descriptor = os.dup(1) if self.is_stdout else os.open(str(self.path), os.O_WRONLY | os.O_NOCTTY)
            raw = _Stream(self.path, descriptor)
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror or error}") from error
        with io.BufferedWriter(raw, _BUFFER) as file:
            yield file

    def write_text(self, text: str) -> None:
        """Writes `text` as UTF-8 to a file or a stream. Raises UserError if it can't be written."""
        if not isinstance(self.target, Path):
            with self.stream() as file:
                file.write(text.encode("utf-8"))
            return
        try:
            with atomic.atomic_file(self.target) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror or error}") from error


class _Stream(io.FileIO):
    """An open descriptor whose errors name the path."""

    def __init__(self, path: Location, descriptor: int) -> None:
        super().__init__(descriptor, "wb")
        self._path = path

    def write(self, data: "Buffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError as error:
            line = f"{self._path}: its reader has ended (broken pipe)"
            raise (StdoutClosedError if self._path == STDOUT else UserError)(line) from error
        except OSError as error:
            raise UserError(f"{self._path}: {error.strerror or error}") from error


def find_output(path: Location) -> Output:
    """Finds out what `path` is. Raises UserError: a folder, a socket, a block device, a loop of links, no bucket."""
    if isinstance(path, ObjectPath):
        if not path.bucket.exists():
            raise UserError(f"{path}: no such bucket")
        if path.is_dir():
            raise UserError(f"{path}: is a folder")
        return Output(path, path)
    if path == STDOUT:
        require_stdout()
        return Output(path, None, is_stdout=True)
    try:
        target = _behind_links(path)
        found = None if target is None else _status(target)
        if target is not None and (found is None or stat.S_ISREG(found.st_mode)):
            return Output(path, None, is_stdout=True) if found and _is_stdout(found) else Output(path, target)
        found = path.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, in Python before 3.13
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(found.st_mode):
        raise UserError(f"{path}: is a folder")
    if stat.S_ISSOCK(found.st_mode) or stat.S_ISBLK(found.st_mode):
        raise UserError(f"{path}: is a {'socket' if stat.S_ISSOCK(found.st_mode) else 'disk'}, which can't be written")
    return Output(path, None, is_stdout=_is_stdout(found))


def require_stdout() -> None:
    """Raises UserError if this process was started without a standard output: its number may be another file's now."""
    if sys.stdout is None:
        raise UserError("standard output is closed")


def _behind_links(path: Path) -> Path | None:
    """Follows links to the file that `path` means, existing or not; None for a descriptor such as /dev/stdout."""
    for _ in range(_MOST_LINKS):
        path = path.parent.resolve() / path.name
        if _DESCRIPTOR.fullmatch(str(path)):
            return None
        if not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise UserError(f"{path}: too many symbolic links")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _is_stdout(found: os.stat_result) -> bool:
    try:
        return os.path.samestat(found, os.fstat(1))
    except OSError:
        return False
