"""Which raw files are parts, and the names of parts. What does not belong here: the content of the files (ingest)."""

import errno
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.locations.location import Location, ObjectPath, absent, entries
from engage_pipeline.plurals import first_few

PREFIX = "part-"
COMPRESSIONS = (".gz", ".zst", ".lzo")
PARQUET = ".parquet"
SUFFIXES = (*COMPRESSIONS, PARQUET)
"""Endings that are not part of a part's name."""
INDEXES = (".index", ".crc", ".md5", ".sha1", ".sha256", ".sha512")
UNFINISHED = (*INDEXES, ".tmp", ".temp", ".part", ".partial", ".crdownload", "~")
"""Endings of indexes and checksums, and of unfinished files of editors, browsers and transfers."""
SIDE_ENDINGS = (".rejects", ".sample", ".profile", ".typed-tweets")
"""Endings of the files beside `<part>.parquet`, before `.parquet`. No raw part may be named so: test parts share a
folder, in which it would replace the file of another part."""
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOGGER = logging.getLogger("engage_pipeline")


def check_key(key: str) -> str:
    """Returns `key` if it may name a part, else raises UserError: part names become paths."""
    if not is_key(key):
        raise UserError(f"part {key!r}: a part's name is 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    return key


def is_key(key: str) -> bool:
    """Returns whether `key` may name a part."""
    return _KEY.fullmatch(key) is not None and key not in {".", ".."}


def part_name(path: Location) -> str:
    """Returns the part's name: the file's without its suffix. Raises UserError if it may not name a part."""
    _check_ending(path)
    return check_key(stem(path))


def _check_ending(path: Location) -> None:
    name = stem(path)
    for ending in SIDE_ENDINGS:
        if name.endswith(ending):
            raise UserError(f"{path}: a name that ends in {ending} is that of a side file; rename this part")


@dataclass(frozen=True)
class Listing:
    """The parts of a folder by name, sorted, and the problems of files that are named like a part but can't be one.

    A problem's key is the name of the part that the file would be.
    """

    parts: dict[str, Location]
    problems: dict[str, str]


def list_parts(folder: Location, *, follow_links: bool = False) -> Listing:
    """Lists the parts of `folder`: the files whose name begins with `part-`. A bad file does not hide the others.

    Other files are named in one log line, once per process for the same files, because a sensor lists the folder often.
    A link that leads out of the folder is a problem unless `follow_links` (a setting). Raises UserError if there is no
    such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder") if folder.exists() else absent(folder, "no such folder")
    found: dict[str, Location] = {}
    problems: dict[str, str] = {}
    others = []
    for path in entries(folder):
        name = stem(path)
        try:
            if not _is_part(path, folder, follow_links=follow_links):
                others.append(path.name)
                continue
            _check_ending(path)
            if check_key(name) in found:
                raise UserError(f"{folder}: {found[name].name} and {path.name} are both part {name}; remove one")
            found[name] = path
        except UserError as error:
            problems.setdefault(name, str(error))
    if others:
        _tell_once(folder, tuple(others))
    return Listing({name: path for name, path in sorted(found.items()) if name not in problems}, problems)


@lru_cache(maxsize=256)
def _tell_once(folder: Location, names: Sequence[str]) -> None:
    LOGGER.info("%s: not parts, skipped: %s", folder, first_few([repr(name) for name in names], 3))


def find_parts(folder: Location, *, follow_links: bool = False) -> dict[str, Location]:
    """Returns the parts of `folder`, the files whose name begins with `part-`, by part name, sorted.

    Raises UserError: no such folder, no parts, a name that may not name a part, two files for one part, a link that
    leads to itself, nowhere or, unless `follow_links`, out of the folder.
    """
    listing = list_parts(folder, follow_links=follow_links)
    if listing.problems:
        raise UserError(next(iter(listing.problems.values())))
    if not listing.parts:
        raise UserError(
            f"{folder}: no parts (files {PREFIX}00000, {PREFIX}00001 …, plain, .gz, .zst, .lzo or .parquet)"
        )
    return listing.parts


def find_part(path: Location, *, follow_links: bool = False) -> Location:
    """Returns the one part that `path` means: that file, else `path` with one of SUFFIXES, or the folder's only part.

    Raises UserError if there is no such part, or more than one.
    """
    if path.is_dir():
        parts = find_parts(path, follow_links=follow_links)
        if len(parts) > 1:
            raise UserError(f"{path}: holds {len(parts)} parts, but one is expected; name the file")
        return next(iter(parts.values()))
    if path.is_file():
        if path.name.endswith(INDEXES):
            raise UserError(f"{path}: an index or a checksum, not a part; name the file beside it")
        return path
    candidates = [path.with_name(path.name + ending) for ending in SUFFIXES]
    existing = [candidate for candidate in candidates if candidate.is_file()]
    if not existing:
        others = "" if path.name.endswith(SUFFIXES) else f", and no {', '.join(SUFFIXES)} of it"
        raise absent(path, f"no such part{others}")
    if len(existing) > 1:
        raise UserError(f"{path}: {' and '.join(file.name for file in existing)} are the same part; remove one")
    return existing[0]


def stem(path: Location) -> str:
    """Returns the file's name without the endings of SUFFIXES."""
    name = path.name
    for ending in SUFFIXES:
        name = name.removesuffix(ending)
    return name


def _is_part(path: Location, folder: Location, *, follow_links: bool) -> bool:
    if not path.name.startswith(PREFIX) or path.name.endswith(UNFINISHED):
        return False
    check_link(path, folder, follow_links=follow_links)
    return path.is_file()


def check_link(path: Location, folder: Location, *, follow_links: bool) -> None:
    """Raises UserError if `path` is a link that leads to itself, nowhere or, unless `follow_links`, out of `folder`."""
    if isinstance(path, ObjectPath) or isinstance(folder, ObjectPath) or not path.is_symlink():
        return
    if _is_loop(path):  # first, because Python 3.11 can't resolve it
        raise UserError(f"{path}: a link that leads to itself")
    if not follow_links and not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{path}: a link that leads out of its folder (setting follow_links)")
    if not path.exists():
        raise UserError(f"{path}: a link that leads nowhere")


def _is_loop(link: Path) -> bool:
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False
