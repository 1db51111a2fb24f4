"""Limits of threads, in a process of its own: what hangs is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNTING = """
import sys
import pyarrow as pa
import pyarrow.dataset as ds
from engage_pipeline.machine.threads import limited_threads

with pa.ipc.new_file(sys.argv[1], pa.schema([("x", pa.int64())])) as file:
    file.write(pa.record_batch({"x": range(10)}))
with limited_threads(1):
    print(pa.cpu_count(), ds.dataset(sys.argv[1], format="ipc").count_rows())
"""


def test_rows_of_an_arrow_file_are_counted_on_one_thread(tmp_path: Path) -> None:
    """With a single IO thread Arrow waits for itself."""
    counting = [sys.executable, "-c", COUNTING, str(tmp_path / "rows.arrow")]
    done = subprocess.run(counting, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["1", "10"]


@pytest.mark.parametrize(
    ("set_before", "expected"),
    [
        ({}, ["PASSIVE", "1000"]),
        ({"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "7"}, ["ACTIVE", "7"]),
    ],
)
def test_threads_of_openmp_wait_a_moment_before_they_sleep_unless_told_otherwise(
    set_before: dict[str, str], expected: list[str]
) -> None:
    names = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"
    environment = {name: value for name, value in os.environ.items() if name not in names} | set_before
    showing = f"import os, engage_pipeline; print(*(os.environ[name] for name in {names}))"
    done = subprocess.run(
        [sys.executable, "-c", showing], capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    assert done.stdout.split() == expected
