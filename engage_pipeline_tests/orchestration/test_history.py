"""Dagster's SQLite files, opened for the commands: what they cost an event, and that nothing is lost."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

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


def test_without_a_block_no_file_is_held(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    saying.execute_in_process(instance=instance)
    assert logs(tmp_path) == []


def test_an_event_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db", factory=history._PatientConnection)
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,), "NORMAL"
    connection.close()
