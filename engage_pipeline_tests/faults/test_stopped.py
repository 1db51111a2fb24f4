"""Ctrl-C and SIGTERM at chosen moments of real commands: one line, exit status 130 or 143, nothing that goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.machine.stopping import LINE
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.stopped import Moment, assert_one_line, stop_at

pytestmark = pytest.mark.long
SQL = "sqlalchemy/engine/default.py"
POOL = "sqlalchemy/pool/base.py"
MOMENTS = {
    "loading the commands": Moment("typer/main.py", "<module>"),
    "loading Dagster": Moment("dagster/_core/errors.py", "<module>"),
    "loading Arrow": Moment("pyarrow/__init__.py", "<module>", 1, signal.SIGTERM),
    "reading a part": Moment("engage_pipeline/ingest/part_ingest.py", "ingest_part"),
    "the second part": Moment("engage_pipeline/ingest/part_ingest.py", "ingest_part", 2, signal.SIGTERM),
    "publishing": Moment("engage_pipeline/files/atomic.py", "seal_folder"),
    "opening the history": Moment(SQL, "do_execute", 1),
    "asking for a run": Moment(SQL, "do_execute", 30, signal.SIGTERM),
    "writing an event": Moment(SQL, "do_execute", 150),
    "another event": Moment(SQL, "do_execute", 301, signal.SIGTERM),
    "keeping an event": Moment(SQL, "do_commit", 20),
    "closing a connection": Moment(POOL, "_finalize_fairy", 60),
    "taking back a transaction": Moment(SQL, "do_rollback", 30),
    "a connection's end": Moment(SQL, "do_close", 40),
    "making an event": Moment("dagster/_core/events/__init__.py", "from_step", 5),
}
LATER = {
    "training the network": ("model/pretrained_network", Moment("model/network/training.py", "_step")),
    "growing trees": ("model/engagement_trees", Moment("model/trees/training.py", "report", 3, signal.SIGTERM)),
    "drawing the report": ("model/evaluation", Moment("engage_pipeline/plots/figure.py", "_draw")),
}
"""What is made again, and a moment of it."""


@pytest.fixture(scope="module")
def raw(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of which nothing is made."""
    folder = tmp_path_factory.mktemp("raw") / "world"
    ignored = shutil.ignore_patterns("data", "history", "storage", "schedules", ".logs_queue")
    shutil.copytree(finished_world, folder, ignore=ignored)
    return folder


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_stopped(raw: Path, tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "world"
    shutil.copytree(raw, folder)
    assert_one_line(stop_at(MOMENTS[moment], ["run"], folder), MOMENTS[moment].number)
    assert not list(folder.rglob(".tmp-*"))


@pytest.mark.parametrize("moment", LATER)
def test_a_training_that_is_stopped(world: Path, moment: str) -> None:
    name, at = LATER[moment]
    shutil.rmtree(world / "data" / name)
    assert_one_line(stop_at(at, ["run"], world), at.number)
    worlds.run(world / "config.yaml")
    assert worlds.store_of(world / "config.yaml").stale(name.partition("/")[2]) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_backfill_goes_on_with_no_other_run(raw: Path, tmp_path: Path, number: int) -> None:
    folder = tmp_path / "world"
    shutil.copytree(raw, folder)
    worlds.write_config(folder, max_n_parts_in_memory=1)
    at = Moment("engage_pipeline/ingest/part_ingest.py", "ingest_part", 2, number)
    stopped = stop_at(at, ["backfill"], folder)
    assert_one_line(stopped, number)
    assert "part-00001: started" in stopped.stderr
    assert "part-00002: started" not in stopped.stderr


def test_the_document_of_a_stopped_run_says_what_was_made(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(raw, folder)
    worlds.write_config(folder, max_n_parts_in_memory=1)
    at = Moment("engage_pipeline/ingest/part_ingest.py", "ingest_part", 2)
    stopped = stop_at(at, ["run", "--json"], folder)
    assert_one_line(stopped, signal.SIGINT)
    made = {"artifact": "tweet_parts", "part": "part-00000", "reason": "not there yet"}
    assert json.loads(stopped.stdout)["made"] == [made]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_comparison_ends_with_the_run_that_it_started(tmp_path: Path, number: int) -> None:
    """Ctrl-C reaches the comparison and its child, which is at a part of its world."""
    arguments = ["compare", "--out", "out", "--sizes", "2000", "--seeds", "1", "--presets", "default"]
    at = Moment("engage_pipeline/ingest/part_ingest.py", "ingest_part", 2, number, group=True)
    assert_one_line(stop_at(at, arguments, tmp_path), number)
    assert not list((tmp_path / "out" / "outcomes").glob("*"))
    (log,) = (tmp_path / "out" / "runs").rglob("log.txt")
    assert log.read_text(encoding="utf-8").splitlines()[-1] == LINE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_processes_that_predict_end_with_the_command(world: Path, number: int) -> None:
    """The signal goes to the whole group while one of two processes reads its part."""
    shutil.copy(world / "raw" / "test" / "part-00000", world / "raw" / "test" / "part-00001")
    arguments = ["predict", "--input", "raw/test", "--output", "results.csv", "--processes", "2"]
    at = Moment("engage_pipeline/ingest/part_ingest.py", "ingest_part", 1, number, group=True)
    assert_one_line(stop_at(at, arguments, world), number)
    assert not (world / "results.csv").exists()
    # On a machine that is too slow to tidy up in time, the next prediction does.
    done = subprocess.run(
        [str(Path(sys.executable).with_name("engage")), *arguments],
        cwd=world,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(world.rglob(".predict-*"))


def test_one_that_does_not_unwind_ends_all_the_same() -> None:
    """The exception is lost, as in a callback of a library, and the command goes on: not for long."""
    script = "import engage_pipeline.machine.stopping as s, os, signal, threading\n"
    script += "s.watch()\ntry: os.kill(os.getpid(), signal.SIGTERM)\nexcept KeyboardInterrupt: pass\n"
    script += "threading.Event().wait()\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (143, f"{LINE}\n")


def test_an_exception_comes_after_its_signal_is_known() -> None:
    """Python may run the handler in the main thread before the thread that received the signal has noted it."""
    script = """
import os, signal, time, types
import engage_pipeline.machine.stopping as stopping

stopping.watch()
sleeps = iter([lambda: os.kill(os.getpid(), signal.SIGINT)])
sleep = lambda seconds: next(sleeps, lambda: time.sleep(seconds))()
stopping.time = types.SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
try:
    stopping._raise_once(signal.SIGINT, None)
except KeyboardInterrupt:
    stopping.end_if_told()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (130, f"{LINE}\n")


def test_a_csv_reader_loses_no_signal(tmp_path: Path) -> None:
    """The reader is in the middle of a file that does not go on."""
    pipe = tmp_path / "results.csv"
    os.mkfifo(pipe)
    script = """
import sys
from pathlib import Path
import engage_pipeline.machine.stopping as stopping

stopping.watch()
from engage_pipeline.submission.scoring.results_file import read_predictions

try:
    read_predictions(Path(sys.argv[1]))
finally:
    stopping.end_if_told()
"""
    command = [sys.executable, "-c", script, str(pipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, pipe.open("wb") as file:
        try:
            file.write(b"0" * 1_000_000)  # more than a pipe holds: the reader has begun
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, stderr) == (130, f"{LINE}\n")
