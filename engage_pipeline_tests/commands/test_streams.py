"""A standard output that is closed, full, or whose reader has ended: a line or none, and the exit status."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline_tests import worlds

ENGAGE = [str(Path(sys.executable).with_name("engage"))]
PIPE_CLOSED = 141
FULL = "engage: the disk is full: [Errno 28] No space left on device"
STATUS_OF = (
    "import errno\n"
    "from engage_pipeline.commands import status_table as table\n"
    "def broken(store): raise BrokenPipeError(errno.EPIPE, 'of a test')\n"
    "table.read_status = broken\n"
    "from engage_pipeline.cli import main; main()"
)


def run(folder: Path, *command: str, redirected: str) -> tuple[int, list[str]]:
    """Exit status and standard error of a command whose standard output the shell leads elsewhere."""
    shell = ["bash", "-c", f'"$@" {redirected}', "bash", *command]
    done = subprocess.run(shell, cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr.splitlines()


def into_a_closed_pipe(folder: Path, *command: str, errors: bool = False) -> tuple[int, str]:
    """Exit status and standard error of a command whose reader has ended before its first line."""
    reading, writing = os.pipe()
    os.close(reading)
    stderr = writing if errors else subprocess.PIPE
    done = subprocess.run(command, cwd=folder, stdout=writing, stderr=stderr, text=True, check=False)
    os.close(writing)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "arguments", ["status", "settings", "settings --schema", "--help", "status --help", "--version"]
)
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(tmp_path: Path, arguments: str) -> None:
    assert into_a_closed_pipe(tmp_path, *ENGAGE, *arguments.split()) == (PIPE_CLOSED, "")
    assert into_a_closed_pipe(tmp_path, *ENGAGE, *arguments.split(), errors=True) == (PIPE_CLOSED, "")


def test_a_reader_of_the_document_that_ends_is_the_same(tmp_path: Path) -> None:
    status, said = into_a_closed_pipe(tmp_path, *ENGAGE, "status", "--json")
    assert status == PIPE_CLOSED
    assert "not there yet" in said  # the table
    assert "engage: " not in said
    assert "Traceback" not in said
    # A mistake has its own status.
    assert into_a_closed_pipe(tmp_path, *ENGAGE, "status", "--set", "seed=x", "--json")[0] == 1
    assert into_a_closed_pipe(tmp_path, *ENGAGE, "status", "--sett", "seed=x", "--json")[0] == 2


@pytest.mark.long
def test_paths_that_nobody_reads(finished_world: Path) -> None:
    assert into_a_closed_pipe(finished_world, *ENGAGE, "path", "tweet_parts") == (PIPE_CLOSED, "")


def test_another_pipe_that_breaks_is_an_error(tmp_path: Path) -> None:
    """Not of a reader of this command."""
    status, said = run(tmp_path, sys.executable, "-c", STATUS_OF, "status", redirected="| cat; exit ${PIPESTATUS[0]}")
    assert (status, said[-1]) == (1, "BrokenPipeError: [Errno 32] of a test")


@pytest.mark.parametrize("arguments", [["status", "--json"], ["predict", "--input", "part-00000", "--output", "-"]])
def test_a_closed_standard_output_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "part-00000").write_bytes(b"")
    assert run(tmp_path, *ENGAGE, *arguments, redirected=">&-") == (1, ["engage: standard output is closed"])


def test_a_mistake_is_told_without_a_standard_output_too(tmp_path: Path) -> None:
    status, said = run(tmp_path, *ENGAGE, "status", "--sett", "seed=x", "--json", redirected=">&-")
    assert (status, said[0]) == (2, "Usage: engage status [OPTIONS]")
    assert not [line for line in said if "Traceback" in line]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_one_line_with_and_without_a_document(tmp_path: Path) -> None:
    for flag in ([], ["--json"]):
        status, said = run(tmp_path, *ENGAGE, "status", *flag, redirected="> /dev/full")
        assert (status, said[-1]) == (1, FULL)
        assert not [line for line in said if "Traceback" in line]
    status, said = run(tmp_path, *ENGAGE, "status", "--set", "seed=x", "--json", redirected="> /dev/full")
    assert (status, said) == (1, ["engage: --set: seed: a whole number is needed (found 'x')"])


@pytest.mark.long
def test_no_command_writes_over_its_input_or_a_published_file(world: Path) -> None:
    part, link = world / "raw" / "test" / "part-00000", world / "link"
    link.symlink_to(part)
    before, published = part.read_bytes(), (world / "data" / "latest" / "results.csv").read_bytes()
    predict, explain = ["predict", "--input", "raw/test", "--output"], ["explain", "--row", "3", "--json"]
    for command, input_ in ((predict, []), (explain, ["--input", str(part)]), (explain, ["--input", "link"])):
        for output in ("raw/test/part-00000", "link", str(part)):
            said = f"engage: {output}: is an input; give another output"
            assert run(world, *ENGAGE, *command, output, *input_, redirected="") == (1, [said])
        said = "engage: data/latest/results.csv: leads into the published artifacts; give another output"
        assert run(world, *ENGAGE, *command, "data/latest/results.csv", *input_, redirected="") == (1, [said])
    status, said = run(world, *ENGAGE, *predict, "-", redirected=">> raw/test/part-00000")
    assert (status, said) == (1, ["engage: -: is an input; give another output"])
    assert part.read_bytes() == before
    assert worlds.store_of(world / "config.yaml").open("submission").path("results.csv").read_bytes() == published
