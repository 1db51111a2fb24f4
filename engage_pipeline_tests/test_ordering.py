"""`--order-seed N` runs the same tests in another order, the same for the same seed.

Tests that share a daemon or Spark are one worker's.
"""

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from engage_pipeline_tests import conftest, ordering
from engage_pipeline_tests.worlds import REPOSITORY

FILES = [
    "ingest/parsing/test_values.py",
    "ingest/parsing/test_lines.py",
    "synthetic/test_text.py",
    "engines/spark/test_both_engines.py",
]
LAST = "engage_pipeline_tests/engines/spark/test_both_engines.py::test_no_statement_of_the_package_is_left_out"


def collected(*options: str, files: list[str] = FILES) -> list[str]:
    """The tests of some files, in the order in which they would run."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", "-p", "no:cacheprovider", *options]
    paths = [f"engage_pipeline_tests/{name}" for name in files]
    done = subprocess.run([*command, *paths], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return [line for line in done.stdout.splitlines() if "::" in line]


@pytest.fixture(scope="module")
def orders() -> dict[str, list[str]]:
    return {seed: collected(*(["--order-seed", seed] if seed else [])) for seed in ("", "1", "2")}


def test_a_seed_shuffles_files_and_the_tests_in_them(orders: dict[str, list[str]]) -> None:
    plain, one, other = orders.values()
    assert plain
    assert sorted(plain) == sorted(one) == sorted(other)
    assert len({tuple(order) for order in orders.values()}) == 3
    assert one == collected("--order-seed", "1")
    files = [[name for name, _ in groupby(test.split("::")[0] for test in order)] for order in (plain, one, other)]
    assert all(len(order) == len(FILES) for order in files)  # each file in one go
    assert len({tuple(order) for order in files}) > 1


def test_a_story_is_told_in_its_order() -> None:
    paths = ["deploy/test_postgres.py", "ingest/parsing/test_values.py"]
    plain, shuffled = (collected(*options, files=paths) for options in ((), ("--order-seed=1",)))
    told = [[test for test in order if "test_postgres" in test] for order in (plain, shuffled)]
    assert told[0] == told[1]
    assert plain != shuffled


def test_what_looks_at_the_others_of_its_file_stays_behind_them(orders: dict[str, list[str]]) -> None:
    for order in orders.values():
        assert [test for test in order if test.split("::")[0] == LAST.split("::", maxsplit=1)[0]][-1] == LAST


PROBE = """
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(3))
def test_where(number, worker_id):
    Path(os.environ["NOTES"], f"{Path(__file__).parent.name}-{Path(__file__).stem}-{number}").write_text(worker_id)
"""


def test_folders_that_share_a_daemon_or_spark_are_one_worker_s(tmp_path: Path) -> None:
    """Twelve files of three tests on three workers."""
    assert conftest.pytest_xdist_make_scheduler is ordering.pytest_xdist_make_scheduler
    notes, package = tmp_path / "notes", tmp_path / "some_tests"
    notes.mkdir()
    for folder in ("e2e", "engines/spark", "ingest"):
        (package / folder).mkdir(parents=True)
        for number in range(4):
            (package / folder / f"test_{Path(folder).name}{number}.py").write_text(PROBE, encoding="utf-8")
    (package / "conftest.py").write_text(
        f"from {ordering.__name__} import pytest_xdist_make_scheduler", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", "3", "--dist", "loadfile", "--import-mode=importlib"]
    command += ["-p", "no:cacheprovider", "--no-loadscope-reorder", f"--rootdir={tmp_path}", str(package)]
    environment = {**os.environ, "NOTES": str(notes), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    where = {path.name: path.read_text() for path in notes.iterdir()}
    assert len(where) == 36
    workers = {folder: {where[name] for name in where if name.startswith(folder)} for folder in ("e2e", "spark")}
    assert [len(found) for found in workers.values()] == [1, 1], where
    assert workers["e2e"] != workers["spark"]
    assert all(len({where[f"ingest-test_ingest{file}-{number}"] for number in range(3)}) == 1 for file in range(4))
