"""`--order-seed N` runs the same tests in another order, the same for the same seed."""

import subprocess
import sys
from itertools import groupby

import pytest

from engage_pipeline_tests.worlds import REPOSITORY

FILES = ["ingest/test_values.py", "ingest/test_lines.py", "synthetic/test_text.py", "spark/test_both_engines.py"]
LAST = "engage_pipeline_tests/spark/test_both_engines.py::test_no_statement_of_the_package_is_left_out"


def collected(*options: str) -> list[str]:
    """The tests of some files, in the order in which they would run."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", "-p", "no:cacheprovider", *options]
    paths = [f"engage_pipeline_tests/{name}" for name in FILES]
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


def test_what_looks_at_the_others_of_its_file_stays_behind_them(orders: dict[str, list[str]]) -> None:
    for order in orders.values():
        assert [test for test in order if test.split("::")[0] == LAST.split("::", maxsplit=1)[0]][-1] == LAST
