"""Every path that every command takes, missing, forbidden, read-only, full, of the other kind: one line that says so.

The options are those of the program itself: a new one that is not described here fails.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
from typer.models import OptionInfo

from engage_pipeline.commands.app import app
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.forked import Commands, Done, commands
from engage_pipeline_tests.faults.small_disks import small_disk

pytestmark = pytest.mark.long
FILE, PART, PARTS, RESULT, FOLDER = "file", "part", "parts", "result", "folder"
"""What an option takes: a file to read, a part (file or folder), parts, a file to write, a folder to write."""
KINDS = {
    ("init", "folder"): FOLDER,
    ("synthesize", "out"): FOLDER,
    ("compare", "out"): FOLDER,
    ("predict", "inputs"): PARTS,
    ("predict", "more"): PARTS,
    ("predict", "output"): RESULT,
    ("explain", "part"): PART,
    ("explain", "json"): RESULT,
    ("evaluate", "predictions"): FILE,
    ("evaluate", "labels"): PART,
    ("evaluate", "oracle"): FILE,
}
"""By command and parameter; `config` is a file of every command."""
ARGUMENTS: dict[str, list[str]] = {
    "init": [],
    "run": [],
    "status": [],
    "path": ["submission"],
    "backfill": [],
    "register-parts": [],
    "forget": [],
    "rejects": ["part-00000"],
    "rollback": [],
    "promote": [],
    "predict": ["--input", "raw/test", "--output", "results.csv"],
    "explain": ["--input", "raw/test/part-00000", "--row", "3"],
    "evaluate": ["--predictions", "given.csv", "--labels", "raw/test_labels.parquet"],
    "compare": ["--out", "compared", "--sizes", "2000", "--seeds", "1", "--presets", "default"],
    "synthesize": ["--out", "made", "--rows", "2000", "--users", "200", "--parts", "2"],
    "settings": [],
}
"""What makes each command do its work."""
READ_FAULTS = ("missing", "no permission", "the other kind", "below a file")
WRITE_FAULTS = ("read-only folder", "read-only disk", "the other kind", "below a file", "proc", "full disk")


@dataclass(frozen=True)
class Case:
    command: str
    option: str
    kind: str
    fault: str


def path_options() -> list[tuple[str, str, str]]:
    """Every command with each of its parameters that is a path, and its option (empty = an argument)."""
    found = []
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.callback.__name__.replace("_", "-")
        for parameter, hint in get_type_hints(command.callback, include_extras=True).items():
            if "Path" in str(hint):
                info = hint.__metadata__[0]
                # Typer keeps the first of the option's names as if it were a default.
                given = info.default if isinstance(info.default, str) else f"--{parameter}"
                found.append((name, parameter, given if isinstance(info, OptionInfo) else ""))
    return found


def cases() -> list[Case]:
    found = []
    for command, parameter, option in path_options():
        kind = FILE if parameter == "config" else KINDS[command, parameter]
        for fault in WRITE_FAULTS if kind in {RESULT, FOLDER} else READ_FAULTS:
            if not (kind in {PART, PARTS} and fault == "the other kind"):  # they take both
                found.append(Case(command, option, kind, fault))
    return found


def test_every_path_is_described() -> None:
    found = {(command, parameter) for command, parameter, _ in path_options() if parameter != "config"}
    assert found == KINDS.keys()
    commands = {str(command.callback and command.callback.__name__) for command in app.registered_commands}
    assert {name.replace("-", "_") for name in ARGUMENTS} == commands
    assert len(cases()) > 80


@pytest.fixture(scope="module")
def home(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished world, with a results.csv to score."""
    folder = tmp_path_factory.mktemp("refused") / "world"
    worlds.copy_world(finished_world, folder)
    shutil.copy(worlds.store_of(folder / "config.yaml").open("submission").path("results.csv"), folder / "given.csv")
    return folder


@pytest.fixture(scope="module")
def engage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with commands(tmp_path_factory.mktemp("output")) as started:
        yield started


def assert_one_line(done: Done, path: Path) -> None:
    assert done.returncode in {1, 2}, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(("engage: ", "Error: "))]
    assert str(path) in line


def arguments(case: Case, path: Path, home: Path) -> list[str]:
    """The arguments with the path in place of what works."""
    given = list(ARGUMENTS[case.command])
    if case.option in given:
        given[given.index(case.option) + 1] = str(path)
    else:
        given += [case.option, str(path)] if case.option else [str(path)]
    return [case.command, *given]


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.command} {case.option}: {case.fault}")
def test_a_path_that_is_refused(case: Case, home: Path, engage: Commands, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    match case.fault:
        case "missing":
            path = named = tmp_path / "missing"
        case "no permission":
            path = named = tmp_path / "forbidden"
            path.write_bytes(b"x")
            path.chmod(0)
        case "the other kind":
            path = named = tmp_path / "file" if case.kind == FOLDER else tmp_path
        case "below a file":
            path, named = tmp_path / "file" / "x", tmp_path / "file"
        case "proc":
            path, named = Path("/proc/nobody/x"), Path("/proc/nobody")
        case "read-only folder":
            named = tmp_path / "kept"
            named.mkdir(mode=0o555)
            path = named / "x"
        case _:
            named = tmp_path / "disk"
            path = named / "x"
            with small_disk(named, 1_000_000) as disk:
                if case.fault == "full disk":
                    disk.leave(0)
                else:
                    subprocess.run(["mount", "-o", "remount,ro", str(named)], check=True)
                assert_one_line(engage.run(arguments(case, path, home), home), named)
                assert [left.name for left in named.rglob("*") if left.is_file() and left.name != ".ballast"] in (
                    [],
                    [".lock", "log.txt"],
                )
            return
    assert_one_line(engage.run(arguments(case, path, home), home), named)
