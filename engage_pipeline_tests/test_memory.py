"""Memory that was freed is given back between the steps of one process."""

import subprocess
import sys

CODE = """
import pyarrow as pa
from pathlib import Path
from engage_pipeline.memory import peak_memory_mb, release_memory, reset_peak_memory

def resident():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024

empty = resident()
keep = [bytearray(2000) for _ in range(200_000)]
kept_apart = keep[::4000]
del keep
held = resident()
release_memory()
print(empty, held, resident(), peak_memory_mb())
reset_peak_memory()
print(peak_memory_mb())
"""


def test_freed_memory_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    empty, held, after, peak, later_peak = map(int, done.stdout.split())
    assert held > empty + 200
    assert after < empty + 50
    assert peak >= held
    assert later_peak < empty + 60


FAULTS = """
import resource, sys
from engage_pipeline.memory import reuse_memory

if sys.argv[1] == "reuse":
    reuse_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    blocks = [bytearray(4 << 20) for _ in range(3)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_blocks_are_used_again() -> None:
    ways = ("reuse", "plain")
    command = [sys.executable, "-c", FAULTS]
    reused, plain = (
        int(subprocess.run([*command, way], capture_output=True, text=True, check=True).stdout) for way in ways
    )
    assert reused < 2 * 3 * 1024
    assert plain > 5 * reused
