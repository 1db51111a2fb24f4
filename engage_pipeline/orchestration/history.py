"""Dagster's history in SQLite files, for the commands: opens it, and waits while another process has locked it.

Dagster opens and closes a file for each event. Closing the last connection writes the log back into the file, which
takes longer than all else; so each file is held open once while a run is made. Nor does an event wait for the disk: a
power cut may cost the last ones, but leaves the file whole, since SQLite writes ahead.
A history on a Postgres server needs no waiting: it locks rows, not files.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
_held: dict[str, sqlite3.Connection] | None = None
"""Connections that hold their files open, by path; None = no file is held."""


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
    """Holds the files open that are opened in the block by an instance of `open_instance`."""
    global _held
    before, _held = _held, {}
    try:
        yield
    finally:
        held, _held = _held, before
        for connection in (held or {}).values():
            connection.close()


def _hold(path: str) -> None:
    if _held is None or not Path(path).is_file():
        return
    if path not in _held:
        _held[path] = sqlite3.connect(path, timeout=_SECONDS_A_TRY, check_same_thread=False)
    with suppress(sqlite3.OperationalError):  # locked: who asks for more waits
        _held[path].execute("PRAGMA schema_version").fetchone()  # reading makes it count as open


def _be_patient() -> None:
    """Makes every SQLite connection of this process wait for locks, and log that it waits."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "do_connect", _connect_patiently):
        event.listen(Engine, "do_connect", _connect_patiently)


def _connect_patiently(dialect: Any, record: Any, arguments: list[Any], parameters: dict[str, Any]) -> None:
    if dialect.name == "sqlite":
        parameters |= {"timeout": _SECONDS_A_TRY, "factory": _PatientConnection}
        _hold(str(arguments[0]))


class _PatientCursor(sqlite3.Cursor):
    """Tries a statement again if the database is locked: it has changed nothing then."""

    def execute(self, sql: str, parameters: Any = (), /) -> "_PatientCursor":
        return _patiently(self.connection, lambda: super(_PatientCursor, self).execute(sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> "_PatientCursor":
        return _patiently(self.connection, lambda: super(_PatientCursor, self).executemany(sql, parameters))


class _PatientConnection(sqlite3.Connection):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        sqlite3.Cursor(self).execute("PRAGMA synchronous = NORMAL")

    def cursor(self, factory: Any = _PatientCursor) -> Any:
        return super().cursor(factory)

    def commit(self) -> None:
        _patiently(self, super().commit)


def _patiently(connection: sqlite3.Connection, statement: Callable[[], _T]) -> _T:
    started: float | None = None
    while True:
        try:
            return statement()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
        path = _path(connection)
        if started is None:
            started = time.monotonic()
            LOGGER.warning("%s: locked by another process: waiting, at most %d s", path, SECONDS)
        if time.monotonic() - started >= SECONDS:
            stopping.give_up(
                f"{path}: locked by another process for {SECONDS:.0f} s; what is finished stays: end that process, or "
                "start again later"
            )
        time.sleep(_PAUSE)


def _path(connection: sqlite3.Connection) -> str:
    # Reads no table, so it needs no lock.
    return next(str(row[2]) for row in sqlite3.Cursor(connection).execute("PRAGMA database_list"))
