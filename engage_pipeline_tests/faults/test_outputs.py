"""What the output of a command may be besides a new file: pipe, device, link, standard output. Own nodes only."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.files.outputs import find_output
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.forked import Commands, commands

pytestmark = pytest.mark.long
PREDICT = ["predict", "--input", "raw/test", "--output"]
EXPLAIN = ["explain", "--input", "raw/test/part-00000", "--row", "3", "--json"]
NULL = os.makedev(1, 3)


@pytest.fixture(scope="module")
def home(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished world with two test parts of the same rows."""
    folder = tmp_path_factory.mktemp("outputs") / "world"
    worlds.copy_world(finished_world, folder)
    shutil.copy(folder / "raw" / "test" / "part-00000", folder / "raw" / "test" / "part-00001")
    return folder


@pytest.fixture(scope="module")
def engage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("output")) as started:
        yield started


@pytest.fixture(scope="module")
def results(home: Path) -> bytes:
    """The lines of both parts: those of the run's own results.csv, twice."""
    return worlds.store_of(home / "config.yaml").open("submission").path("results.csv").read_bytes() * 2


def null_device(path: Path) -> Path:
    """A node of the test's own, which takes what is written to it."""
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, NULL)
        path.write_bytes(b"x")
    except OSError as error:
        pytest.skip(f"no device node may be made here: {error.strerror}")
    return path


def read_pipe(path: Path) -> tuple[threading.Thread, list[bytes]]:
    """Reads a pipe until its writer closes it."""
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    return reader, found


@pytest.mark.parametrize("processes", ["1", "2"])
def test_results_go_into_a_pipe(home: Path, engage: Commands, results: bytes, tmp_path: Path, processes: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader, found = read_pipe(tmp_path / "pipe")
    done = engage.run([*PREDICT, str(tmp_path / "pipe"), "--processes", processes], home)
    assert done.returncode == 0, done.stderr
    reader.join()
    assert found == [results]
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_results_go_into_a_device(home: Path, engage: Commands, tmp_path: Path) -> None:
    device = null_device(tmp_path / "device")
    done = engage.run([*PREDICT, str(device)], home)
    assert done.returncode == 0, done.stderr
    assert device.is_char_device()
    assert device.stat().st_rdev == NULL


def test_what_a_link_leads_to_is_replaced(home: Path, engage: Commands, results: bytes, tmp_path: Path) -> None:
    target, link, outer = tmp_path / "there" / "results.csv", tmp_path / "link", tmp_path / "outer"
    target.parent.mkdir()
    target.write_bytes(b"before")
    before = target.stat().st_ino
    link.symlink_to("there/results.csv")
    outer.symlink_to(link)
    done = engage.run([*PREDICT, str(outer)], home)
    assert done.returncode == 0, done.stderr
    assert (outer.readlink(), link.readlink()) == (link, Path("there/results.csv"))
    assert target.read_bytes() == results
    assert target.stat().st_ino != before  # put in place whole


def test_a_link_to_a_device_stays(home: Path, engage: Commands, tmp_path: Path) -> None:
    """As /dev/stdout is one, on a machine whose standard output is a terminal."""
    device, link = null_device(tmp_path / "device"), tmp_path / "link"
    link.symlink_to(device)
    for arguments in (PREDICT, EXPLAIN):
        done = engage.run([*arguments, str(link)], home)
        assert done.returncode == 0, done.stderr
        assert link.readlink() == device
        assert device.is_char_device()


@pytest.mark.parametrize("name", ["-", "descriptor"])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_standard_output_holds_the_results_alone(
    home: Path, engage: Commands, results: bytes, tmp_path: Path, name: str, processes: str
) -> None:
    if name == "descriptor":
        name = str(tmp_path / "stdout")
        Path(name).symlink_to("/proc/self/fd/1")
    done = engage.run([*PREDICT, name, "--processes", processes], home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.encode() == results
    assert "rows a second" in done.stderr


def test_an_explanation_goes_where_it_is_asked_for(home: Path, engage: Commands, tmp_path: Path) -> None:
    alone = engage.run([*EXPLAIN, "-"], home)
    values = json.loads(alone.stdout)
    assert values["line_number"] == 3
    os.mkfifo(tmp_path / "pipe")
    reader, found = read_pipe(tmp_path / "pipe")
    both = engage.run([*EXPLAIN, str(tmp_path / "pipe")], home)
    reader.join()
    assert both.returncode == 0, both.stderr
    assert [json.loads(content) for content in found] == [values]
    assert both.stdout.startswith(str(Path("raw/test/part-00000"))) or "row 3" in both.stdout


@pytest.mark.parametrize("arguments", [PREDICT, EXPLAIN])
def test_a_reader_of_standard_output_that_ends_ends_the_command_quietly(home: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [str(Path(sys.executable).with_name("engage")), *arguments, "-"]
    done = subprocess.run(command, cwd=home, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.returncode == 128 + signal.SIGPIPE
    assert [line for line in done.stderr.splitlines() if line.startswith("engage: ") or "Traceback" in line] == []


def test_what_is_no_place_to_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "loop", "[Ll]ink|[Ll]oop")):
        with pytest.raises(UserError, match=said) as caught:
            find_output(path)
        assert str(caught.value).startswith(str(path))
