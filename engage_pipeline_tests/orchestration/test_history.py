"""Dagster's SQLite files, opened for the commands: what they cost an event, and that nothing is lost."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from engage_pipeline.orchestration import history
from engage_pipeline.orchestration.history import held_open, open_instance
from engage_pipeline_tests.worlds import REPOSITORY


@dg.op
def say() -> None:
    """An operation that does nothing."""


@dg.job
def saying() -> None:
    say()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with open_instance() as found:
        yield found


def logs(folder: Path) -> list[str]:
    """The logs that SQLite has not yet written back."""
    return sorted(path.name for path in folder.rglob("*.db-wal"))


def test_files_are_written_back_once_and_every_event_is_there(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    with held_open():
        result = saying.execute_in_process(instance=instance)
        assert logs(tmp_path) == sorted([f"{result.run_id}.db-wal", "index.db-wal", "runs.db-wal"])
    assert logs(tmp_path) == []
    with sqlite3.connect(tmp_path / "history" / "runs" / f"{result.run_id}.db") as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM event_logs").fetchone()
    connection.close()
    assert count == len(instance.all_logs(result.run_id)) > 5
    assert instance.get_run_by_id(result.run_id).is_success


def test_a_connection_is_used_again(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    class Counted(history._PatientConnection):
        def __init__(self, database: str, *arguments: Any, **named: Any) -> None:
            opened.append(Path(database).name)
            super().__init__(database, *arguments, **named)

    monkeypatch.setattr(history, "_PatientConnection", Counted)
    with held_open():
        first = saying.execute_in_process(instance=instance)
    once = sorted(opened)
    assert once.count("runs.db") == 1
    assert once.count("index.db") <= 2, "one within another, while the file is prepared"
    assert once.count(f"{first.run_id}.db") <= 2
    opened.clear()
    saying.execute_in_process(instance=instance)
    assert len(opened) > 5 * len(once), "without the block each event opens its own"


def test_what_was_not_committed_is_gone_when_a_connection_is_used_again(tmp_path: Path) -> None:
    history._be_patient()
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=NullPool)
    with held_open():
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE numbers (number INTEGER)"))
            first = connection.connection.dbapi_connection
        raw = engine.raw_connection()
        assert raw.dbapi_connection is first
        raw.cursor().execute("INSERT INTO numbers VALUES (1)")
        raw.dbapi_connection.close()
        raw.dbapi_connection.close()
        with engine.connect() as again, engine.connect() as beside:
            assert again.connection.dbapi_connection is first
            assert beside.connection.dbapi_connection is not first, "two at once are two"
            assert again.execute(text("SELECT COUNT(*) FROM numbers")).scalar() == 0
        with engine.connect() as last:
            gone = last.connection.dbapi_connection
            (tmp_path / "a.db").unlink()
        with engine.connect() as fresh:
            assert fresh.connection.dbapi_connection not in (gone, first, None)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        first.execute("SELECT 1")


def test_without_a_block_no_file_is_held(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    saying.execute_in_process(instance=instance)
    assert logs(tmp_path) == []


def test_an_event_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db", factory=history._PatientConnection)
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,), "NORMAL"
    connection.close()
