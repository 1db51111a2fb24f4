"""What the operating system or a database refused, in one line for a person: the path, and why.

Libraries wrap it each in their own way; what is known of them stands here. What does not belong here: how much space a
full disk needs (machine.full_disk).
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
    """One line on an error that comes from outside of this program; None for any other, which keeps its trace."""
    for one in _chain(error):
        if isinstance(one, sqlite3.OperationalError):
            return _database(one)
        if isinstance(one, OSError) and one.filename and one.strerror:
            return f"{os.fsdecode(one.filename)}: {one.strerror}"
    return not_permitted(error)


def not_permitted(error: BaseException) -> str | None:
    """One line where a path may not be read or written, or is of another kind; None for any other error."""
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
    locked = "; another process holds it: end that, or start again later" if "locked" in str(error) else ""
    return f"{home}: Dagster's database: {error}{locked}"


def _chain(error: BaseException) -> list[BaseException]:
    """The error and those that it was raised from or beside."""
    found = [error]
    while (before := found[-1].__cause__ or found[-1].__context__) is not None and before not in found:
        found.append(before)
    return found
