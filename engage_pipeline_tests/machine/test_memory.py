"""The memory of a container is what its control groups allow; freed memory is given back between a process's steps."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from engage_pipeline.machine.memory import arrow_on_malloc, machine_memory

CODE = """
import pyarrow as pa
from pathlib import Path
from engage_pipeline.machine.memory import peak_memory_mb, release_memory, reset_peak_memory

def resident(kind="RssAnon"):  # without pages of files, which come and go with what else the machine does
    return int(Path("/proc/self/status").read_text().split(f"{kind}:")[1].split()[0]) // 1024

empty = resident()
keep = [bytearray(2000) for _ in range(200_000)]
kept_apart = keep[::4000]
del keep
held = resident()
full = resident("VmRSS")
release_memory()
print(empty, held, resident(), full, peak_memory_mb())
reset_peak_memory()
print(peak_memory_mb())
"""


def test_freed_memory_is_given_back() -> None:
    """Most of what was taken, whatever a process takes for itself and what it keeps in part-filled pages."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    empty, held, after, full, peak, later_peak = map(int, done.stdout.split())
    taken = held - empty
    assert taken > 200
    assert held - after > 0.8 * taken
    assert peak >= full
    assert later_peak < peak - 0.5 * taken


FAULTS = """
import resource, sys
from engage_pipeline.machine.memory import reuse_memory

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


LARGE = """
import contextlib, resource, sys
from engage_pipeline.machine.memory import large_blocks_reused

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        blocks = [bytearray(40 << 20) for _ in range(3)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0]) >> 10

with contextlib.nullcontext() if sys.argv[1] == "plain" else large_blocks_reused(int(sys.argv[1]) << 20):
    inside = faults()
print(inside, resident())
"""


def test_large_blocks_are_used_again_and_given_back() -> None:
    """Blocks of 40 MB: after the first three, those of the default, or larger than asked for, get new pages each
    time."""
    command = [sys.executable, "-c", LARGE]
    (reused, left), (larger, _), (plain, _) = (
        map(int, subprocess.run([*command, way], capture_output=True, text=True, check=True).stdout.split())
        for way in ("41", "39", "plain")
    )
    assert plain > 5 * reused
    assert larger > 5 * reused
    assert left < 100


@pytest.mark.parametrize(
    ("own", "limits", "expected"),
    [
        ("0::/", {}, None),
        ("0::/", {"memory.max": "3000"}, 3000),
        ("0::/", {"memory.max": "max"}, None),
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "500", "memory.max": "3000"}, 500),
        ("0::/elsewhere", {"memory.max": "3000"}, 3000),  # as a container sees its own group
        ("1:cpu:/a", {"memory/a/memory.limit_in_bytes": "500"}, None),
        ("4:hugetlb,memory:/a\n0::/", {"memory/a/memory.limit_in_bytes": "500"}, 500),
        ("4:memory:/a", {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
    ],
)
def test_a_container_has_the_memory_that_its_groups_allow(
    tmp_path: Path, own: str, limits: dict[str, str], expected: int | None
) -> None:
    for name, text in limits.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(f"{text}\n")
    (tmp_path / "own").write_text(f"{own}\n")
    physical = 1024 * int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0])
    found = machine_memory(tmp_path / "groups", tmp_path / "own")
    assert found == pytest.approx(expected or physical, rel=0.01)


def test_without_control_groups_it_is_the_machines(tmp_path: Path) -> None:
    physical = 1024 * int(Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0])
    assert machine_memory(tmp_path, tmp_path / "none") == pytest.approx(physical, rel=0.01)


def test_arrow_allocates_by_malloc_in_the_block_alone() -> None:
    before = pa.default_memory_pool()
    with pytest.raises(KeyError), arrow_on_malloc():
        assert pa.default_memory_pool().backend_name == "system"
        raise KeyError
    assert pa.default_memory_pool().backend_name == before.backend_name != "system"
