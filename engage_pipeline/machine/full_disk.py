"""Reports a full disk, too little memory for DuckDB, or a folder that was taken away, in one line; of a full disk the
place, the free and the needed space.

Each library reports it in its own way; this module recognises them. What does not belong here: making space.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import SUFFIXES
from engage_pipeline.locations.location import Location
from engage_pipeline.machine.refusals import not_permitted
from engage_pipeline.machine.spill import spill_folder
from engage_pipeline.settings.settings import Settings

_SAYINGS = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    "max_temp_directory_size",  # DuckDB's limit of spilled bytes, by default the free space at its start
    "database or disk is full",  # SQLite
)
_SPILLED = "max_temp_directory_size", "duckdb_temp_"
_UNPACKED = 4
"""The highest compression ratio that is assumed of parts, Parquet included."""
_LEAST = 64_000
"""Bytes of a manifest and the last blocks of some files."""
_QUOTED_PATH = re.compile(r'[\'"](/[^\'"\\]+)')


def is_full(error: BaseException) -> bool:
    """Returns whether the error, or one from which it was raised, reports a file system without free space."""
    while True:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return True
        if any(saying in str(error) for saying in _SAYINGS):
            return True
        cause = error.__cause__ or error.__context__
        if cause is None:
            return False
        error = cause


def is_exhausted(error: BaseException) -> bool:
    """Returns whether the error reports a full disk, or too little memory for DuckDB although it spills."""
    return is_full(error) or type(error).__name__ == "OutOfMemoryException"


@contextmanager
def told_when_exhausted(
    what: str, places: Sequence[Path], needed: Callable[[], int], settings: Settings
) -> Iterator[None]:
    """Replaces errors of the block by a UserError if they report a full disk, too little memory for DuckDB, or a path
    that may not be read or written; others pass.

    `what` is made in the folders `places` and needs about `needed()` bytes of free space there, or as much where
    DuckDB spills. The message names the place with the least free space.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_exhausted(error):
            raise UserError(_told(error, what, places, needed, settings)) from error
        if words := not_permitted(error):
            raise UserError(words) from error
        raise


@contextmanager
def told_when_removed(folder: Path) -> Iterator[None]:
    """Replaces errors of the block, which writes into `folder`, by a UserError if the folder is gone."""
    try:
        yield
    except Exception as error:
        if folder.exists():
            raise
        raise UserError(_removed(folder)) from error
    if not folder.exists():
        raise UserError(_removed(folder))


def _removed(folder: Path) -> str:
    return f"{folder}: was removed while it was being made"


def _told(
    error: BaseException, what: str, places: Sequence[Path], needed: Callable[[], int], settings: Settings
) -> str:
    if not is_full(error):
        limit = settings.engine.memory_limit
        return f"{what}: engine.memory_limit = {limit} is too little for it, even with spilling; raise it"
    spilled = any(saying in str(error) for saying in _SPILLED)
    place = spill_folder(settings) if spilled else min(places, key=free_bytes)
    advice = ", set engine.temp_directory to another disk or raise engine.memory_limit" if spilled else ""
    needs = "spills" if spilled else "needs"
    free, estimate = free_bytes(place), needed()
    # What was written is removed by now, so `free` is what did not suffice.
    named = estimate if estimate > free else free + estimate
    return (
        f"{place}: the disk is full ({in_units(free)} free): {what} {needs} about "
        f"{in_units(named)} there; free that much{advice}, and start it again"
    )


def in_words(error: BaseException) -> str:
    """Describes an error for which `is_full` holds in one line, from its own text."""
    path = error.filename if isinstance(error, OSError) and error.filename else None
    quoted = _QUOTED_PATH.search(str(error))
    place = path or (quoted.group(1) if quoted else None)
    return f"{place}: the disk is full" if place else f"the disk is full: {' '.join(str(error).split())[:300]}"


def in_units(count: int) -> str:
    """Formats a number of bytes for people, rounded up."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)):
        if count >= size:
            return f"{-(-count * 10 // size) / 10:.1f} {unit}"
    return f"{count} bytes"


def size_estimate(before: int, inputs: int, sources: Sequence[Location]) -> int:
    """Estimates the bytes that making a version takes, with temporary files.

    Twice the bytes of the version `before`, or of the inputs if there is none (0), and of the decompressed raw files.
    """
    return _LEAST + 2 * ((before or inputs) + sum(unpacked_bytes(path) for path in sources))


def unpacked_bytes(path: Location) -> int:
    """Estimates the decompressed bytes of a raw file; 0 if the file is gone."""
    size = path.stat().st_size if path.exists() else 0
    return size * _UNPACKED if path.suffix in SUFFIXES else size


def free_bytes(place: Path) -> int:
    """Returns the free bytes of the file system in which `place` is or would be."""
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
