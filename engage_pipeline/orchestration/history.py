"""Dagster's history in SQLite files, for the commands: opens it, and waits while another process has locked it.

Dagster opens and closes a file for each event, which takes longer than all else; so while a run is made, a connection
that it closes is kept, and is the next one that it gets. Nor does an event wait for the disk: a power cut may cost the
last ones, but leaves the file whole, since SQLite writes ahead.
A history on a Postgres server needs no waiting: it locks rows, not files.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from engage_pipeline.errors import UserError
from engage_pipeline.machine import stopping

if TYPE_CHECKING:
    from dagster import DagsterInstance

LOGGER = logging.getLogger("engage_pipeline")
SECONDS = 60.0
"""Longest wait for a locked database."""
_SECONDS_A_TRY = 2.0
_PAUSE = 0.1
_T = TypeVar("_T")
_idle: "dict[str, list[_PatientConnection]] | None" = None
"""Connections that wait to be used again, by path; None = none is kept."""


def has_instance() -> bool:
    """Returns whether there is an instance that `open_instance` can open."""
    return bool(os.environ.get("DAGSTER_HOME")) or Path("dagster.yaml").is_file()


def open_instance() -> "DagsterInstance":
    """Opens the instance of $DAGSTER_HOME, or else of the current folder if it holds a dagster.yaml.

    Raises UserError if there is none, or if its dagster.yaml is wrong.
    """
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        if not Path("dagster.yaml").is_file():
            raise UserError(
                "DAGSTER_HOME is not set, and the current folder holds no dagster.yaml: start the command where it is, "
                "set DAGSTER_HOME to that folder, or prepare this one with `engage init`"
            )
        os.environ["DAGSTER_HOME"] = home = str(Path.cwd())
    if not Path(home).is_absolute() or not Path(home).is_dir():
        wrong = "no such folder" if Path(home).is_absolute() else "not an absolute path"
        raise UserError(f"DAGSTER_HOME={home}: {wrong}; set it to the folder that holds dagster.yaml")
    from dagster import DagsterInstance
    from dagster._core.errors import DagsterError
    from yaml import YAMLError

    _be_patient()
    try:
        return DagsterInstance.get()
    except (DagsterError, YAMLError) as error:
        raise UserError(f"{Path(home, 'dagster.yaml')}: {' '.join(str(error).split())[:300]}") from error


@contextmanager
def held_open() -> Iterator[None]:
    """Keeps the connections that an instance of `open_instance` opens in the block, to use them again."""
    global _idle
    before, _idle = _idle, {}
    try:
        yield
    finally:
        idle, _idle = _idle, before
        for connection in chain.from_iterable((idle or {}).values()):
            connection.close_file()


def _be_patient() -> None:
    """Makes every SQLite connection of this process wait for locks, and log that it waits."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "do_connect", _connect_patiently):
        event.listen(Engine, "do_connect", _connect_patiently)


def _connect_patiently(
    dialect: Any, record: Any, arguments: list[Any], parameters: dict[str, Any]
) -> "_PatientConnection | None":
    """Returns a connection to use again, or else None: SQLAlchemy then opens one with `parameters`."""
    if dialect.name != "sqlite":
        return None
    path = str(arguments[0])
    with suppress(LookupError):
        return (_idle or {})[path].pop()
    parameters |= {"timeout": _SECONDS_A_TRY, "factory": _PatientConnection, "check_same_thread": False}
    return None


class _PatientCursor(sqlite3.Cursor):
    """Tries a statement again if the database is locked: it has changed nothing then."""

    def execute(self, sql: str, parameters: Any = (), /) -> "_PatientCursor":
        return _patiently(self.connection, lambda: super(_PatientCursor, self).execute(sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> "_PatientCursor":
        return _patiently(self.connection, lambda: super(_PatientCursor, self).executemany(sql, parameters))


class _PatientConnection(sqlite3.Connection):
    """One that waits for locks, and is kept when it is closed within `held_open`."""

    def __init__(self, database: str, *arguments: Any, **named: Any) -> None:
        super().__init__(database, *arguments, **named)
        self.path = str(database)
        sqlite3.Cursor(self).execute("PRAGMA synchronous = NORMAL")

    def cursor(self, factory: Any = _PatientCursor) -> Any:
        return super().cursor(factory)

    def commit(self) -> None:
        _patiently(self, super().commit)

    def close(self) -> None:
        """Closes it, or keeps it for the next one who opens its file."""
        idle = _idle
        if idle is None or not Path(self.path).is_file():
            self.close_file()
            return
        self.rollback()
        kept = idle.setdefault(self.path, [])
        if self not in kept:  # closed twice, it must not be two people's
            kept.append(self)

    def close_file(self) -> None:
        super().close()


def _patiently(connection: Any, statement: Callable[[], _T]) -> _T:
    started: float | None = None
    while True:
        try:
            return statement()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
        if started is None:
            started = time.monotonic()
            LOGGER.warning("%s: locked by another process: waiting, at most %d s", connection.path, SECONDS)
        if time.monotonic() - started >= SECONDS:
            stopping.give_up(
                f"{connection.path}: locked by another process for {SECONDS:.0f} s; what is finished stays: end that "
                "process, or start again later"
            )
        time.sleep(_PAUSE)
