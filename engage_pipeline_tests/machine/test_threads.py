"""Limits of threads, in a process of its own: what hangs is killed."""

import subprocess
import sys
from pathlib import Path

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
