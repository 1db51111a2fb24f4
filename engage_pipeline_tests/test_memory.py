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
