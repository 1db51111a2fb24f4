"""A full disk, or too little memory for DuckDB, told in one line: the place, what is free there, how much is needed.

Libraries say it each in their own way; what is known of them stands here. What does not belong here: making space.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import COMPRESSIONS
from engage_pipeline.machine.refusals import not_permitted
from engage_pipeline.machine.spill import spill_folder
from engage_pipeline.settings.settings import Settings

_SAYINGS = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EDQUOT),
    "max_temp_directory_size",  # DuckDB's limit for what it spills, by default what is free when it starts
    "database or disk is full",  # SQLite
)
_SPILLED = "max_temp_directory_size", "duckdb_temp_"
_UNPACKED = 4
"""How much smaller packed parts are, at most."""
_LEAST = 64_000
"""Bytes that a manifest and the last blocks of some files take."""
_QUOTED_PATH = re.compile(r'[\'"](/[^\'"\\]+)')


def is_full(error: BaseException) -> bool:
    """Whether the error, or the one that it was raised from, says that a file system has no space left."""
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
    """Whether a disk is full, or DuckDB can't do with its memory even though it spills."""
    return is_full(error) or type(error).__name__ == "OutOfMemoryException"


@contextmanager
def told_when_exhausted(
    what: str, places: Sequence[Path], needed: Callable[[], int], settings: Settings
) -> Iterator[None]:
    """Raises UserError in place of an error that says that a disk is full, DuckDB's memory too little, or that a path
    may not be read or written; others pass.

    `what` is being made in the folders `places` and needs about `needed()` bytes of free space there, or as much where
    DuckDB spills. Of several places the one with the least free space is told.
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


def _told(
    error: BaseException, what: str, places: Sequence[Path], needed: Callable[[], int], settings: Settings
) -> str:
    if not is_full(error):
        limit = settings.engine.memory_limit
        return f"{what}: engine.memory_limit = {limit} is too little for it, spilling included: raise it"
    spilled = any(saying in str(error) for saying in _SPILLED)
    place = spill_folder(settings) if spilled else min(places, key=free_bytes)
    advice = ", another disk as engine.temp_directory or more engine.memory_limit" if spilled else ""
    needs = "spills" if spilled else "needs"
    return (
        f"{place}: the disk is full ({in_units(free_bytes(place))} free): {what} {needs} about "
        f"{in_units(needed())} there; make so much space{advice}, and start it again"
    )


def in_words(error: BaseException) -> str:
    """One line on an error for which `is_full` holds, where no more is known than what it says itself."""
    path = error.filename if isinstance(error, OSError) and error.filename else None
    quoted = _QUOTED_PATH.search(str(error))
    place = path or (quoted.group(1) if quoted else None)
    return f"{place}: the disk is full" if place else f"the disk is full: {' '.join(str(error).split())[:300]}"


def in_units(count: int) -> str:
    """A number of bytes for people, never less than it is."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)):
        if count >= size:
            return f"{-(-count * 10 // size) / 10:.1f} {unit}"
    return f"{count} bytes"


def size_estimate(before: int, inputs: int, sources: Sequence[Path]) -> int:
    """Bytes that making a version takes while it is made, temporary files included.

    Twice those of the version before; where there is none (0), of the inputs and the raw files, packed ones unpacked.
    """
    return _LEAST + 2 * (before or inputs + sum(unpacked_bytes(path) for path in sources))


def unpacked_bytes(path: Path) -> int:
    """About how many bytes a raw file has once it is unpacked: 0 where it is gone."""
    size = path.stat().st_size if path.exists() else 0
    return size * _UNPACKED if path.suffix in COMPRESSIONS else size


def free_bytes(place: Path) -> int:
    """Free bytes of the file system in which `place` is or would be."""
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
