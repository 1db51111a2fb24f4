"""What is seen of a process that maps a file and holds memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline_tests.benchmarks.watched import Watched

MIB = 1 << 20
HOLDER = """
import mmap, sys
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(mapped[::4096])
held = b"x" * (32 << 20)
print("ready", flush=True)
sys.stdin.read()
"""


def test_mapped_files_are_told_from_memory(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(96 * MIB))
    command = [sys.executable, "-S", "-c", HOLDER, str(file)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = Watched(process.pid, tmp_path)
        seen.look()
        process.communicate()
    assert seen.peak_mb - seen.unmapped_peak_mb == pytest.approx(
        96, abs=24
    )  # the interpreter's own files are mapped too
    assert seen.unmapped_peak_mb == pytest.approx(32, abs=24)
    assert seen.spilled == 96 * MIB
