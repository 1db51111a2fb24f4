"""Errors of the operating system or a database in one line for a person: the path and the reason.

Each library wraps them in its own way; this module recognises them. What does not belong here: the space that a full
disk needs (machine.full_disk).
"""

import errno
import os
import re
import sqlite3

_NOT_PERMITTED = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EEXIST,
    errno.ENXIO, errno.EPIPE,
}  # fmt: skip
_SAYINGS = {os.strerror(number): number for number in _NOT_PERMITTED}
_QUOTED_PATH = re.compile(r'[\'"](/[^\'"\\]+)')


def in_words(error: BaseException) -> str | None:
    """Describes an error from outside of this program in one line; None for any other, which keeps its trace."""
    for one in _chain(error):
        if isinstance(one, sqlite3.OperationalError):
            return _database(one)
        if isinstance(one, OSError) and one.filename and one.strerror:
            return f"{os.fsdecode(one.filename)}: {one.strerror}"
    return not_permitted(error)


def not_permitted(error: BaseException) -> str | None:
    """Describes in one line a path that may not be read or written, or is of another kind; None for other errors."""
    for one in _chain(error):
        number = one.errno if isinstance(one, OSError) else None
        reason = next((saying for saying in _SAYINGS if saying in str(one)), None)
        if number in _NOT_PERMITTED and isinstance(one, OSError) and one.filename:
            return f"{os.fsdecode(one.filename)}: {one.strerror}"
        if reason and (quoted := _QUOTED_PATH.search(str(one))):
            return f"{quoted.group(1)}: {reason}"
    return None


def _database(error: sqlite3.OperationalError) -> str:
    home = os.environ.get("DAGSTER_HOME", "DAGSTER_HOME")
    locked = "; another process holds it: stop that process, or start again later" if "locked" in str(error) else ""
    return f"{home}: Dagster's database: {error}{locked}"


def _chain(error: BaseException) -> list[BaseException]:
    """Returns the error, then its causes and contexts."""
    found = [error]
    while (before := found[-1].__cause__ or found[-1].__context__) is not None and before not in found:
        found.append(before)
    return found
