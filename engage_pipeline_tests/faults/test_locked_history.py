"""Dagster's SQLite files locked by another process: the command waits and says so, goes on, or gives up in one line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long
DATABASES = ("history/runs.db", "history/runs/index.db")
_LOCK = """
import sqlite3, sys
held = [sqlite3.connect(path, isolation_level=None, timeout=60) for path in sys.argv[1:]]
for connection in held:
    connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
_ENGAGE = """
import sys
import engage_pipeline.orchestration.history as history
history.SECONDS = float(sys.argv.pop(1))
from engage_pipeline.cli import main
main()
"""


@contextmanager
def locked(databases: Sequence[Path]) -> Iterator[subprocess.Popen[str]]:
    """Another process holds an exclusive lock on each until it is closed, at the latest when the block ends."""
    command = [sys.executable, "-c", _LOCK, *map(str, databases)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
    finally:
        process.communicate()


def start(arguments: Sequence[str], home: Path, seconds: float) -> subprocess.Popen[str]:
    """A command that waits so long for a lock."""
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    command = [sys.executable, "-c", _ENGAGE, str(seconds), *arguments, "--config", str(home / "config.yaml")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines of standard error up to the first that contains `text`."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.fixture
def home(finished_world: Path, tmp_path: Path) -> Path:
    """A world of which nothing is made, with the history of an earlier command: one part of three is registered."""
    folder = tmp_path / "world"
    ignored = shutil.ignore_patterns("data", "history", "storage", "schedules", ".logs_queue")
    shutil.copytree(finished_world, folder, ignore=ignored)
    worlds.write_config(folder, max_n_parts=1)
    first = start(["register-parts"], folder, 60)
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    worlds.write_config(folder)
    return folder


@pytest.mark.parametrize("arguments", [["register-parts"], ["run", "--target", "tweet_parts"], ["backfill"]])
def test_one_that_stays_locked_is_one_line(home: Path, arguments: list[str]) -> None:
    with locked([home / name for name in DATABASES]):
        process = start(arguments, home, 0.5)
        _, errors = process.communicate()
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    assert "Error" not in errors
    assert [line for line in errors.splitlines() if "waiting, at most" in line]
    (line,) = [line for line in errors.splitlines() if line.startswith("engage: ")]
    assert any(str(home / name) in line for name in DATABASES)
    assert "locked by another process" in line
    assert errors.splitlines()[-1] == line


def test_one_that_is_released_is_waited_for(home: Path) -> None:
    with locked([home / name for name in DATABASES]) as locker:
        process = start(["register-parts"], home, 300)
        read_until(process, "waiting, at most 300 s")
        locker.communicate()
        out, _ = process.communicate()
    assert process.returncode == 0
    assert out.startswith("2 parts added, 1 was there")


def test_a_run_waits_in_its_middle(home: Path) -> None:
    process = start(["run", "--target", "tweet_parts"], home, 300)
    read_until(process, "tweet_parts/part-00000: started")
    with locked([home / name for name in DATABASES]) as locker:
        read_until(process, "waiting, at most")
        locker.communicate()
        out, errors = process.communicate()
    assert process.returncode == 0, errors
    assert out.startswith("3 artifacts made")
    store = worlds.store_of(home / "config.yaml")
    assert [store.stale("tweet_parts", key) for key in store.parts()] != []
