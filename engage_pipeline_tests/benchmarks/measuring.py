"""Measures one stage, or what it is held against, in a process of its own, so that the peak memory is its own.

    python -m engage_pipeline_tests.benchmarks.measuring work ingest FOLDER ROWS THREADS

prints one line of JSON. Inputs are opened and libraries imported before the clock starts.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from engage_pipeline_tests.benchmarks.baselines import LIMITS, PLAIN
from engage_pipeline_tests.benchmarks.stages import STAGES
from engage_pipeline_tests.benchmarks.world import World

LEAST_SECONDS = 1.0
"""What a stage is held against is repeated for so long: some of it takes milliseconds."""
KINDS = {"work": STAGES, "plain": PLAIN, "limit": LIMITS}


@dataclass(frozen=True)
class Measurement:
    """Rows worked, seconds of CPU and wall, peak resident memory (MiB) of the process."""

    rows: int
    cpu_seconds: float
    wall_seconds: float
    peak_mib: int

    @property
    def rows_a_second(self) -> float:
        """Rows a second of CPU: of one core."""
        return self.rows / max(self.cpu_seconds, 1e-9)


def measure(kind: str, stage: str, world: World) -> Measurement:
    """Runs the stage in a child process with the world's number of threads. Raises CalledProcessError if it fails."""
    threads = str(world.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE", "TQDM_DISABLE": "1"}
    arguments = [kind, stage, str(world.folder), str(world.rows), threads]
    command = [sys.executable, "-m", "engage_pipeline_tests.benchmarks.measuring", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def measure_here(kind: str, stage: str, world: World) -> Measurement:
    """Runs the stage in this process."""
    pa.set_cpu_count(world.threads)
    pa.set_io_thread_count(world.threads)
    with KINDS[kind][stage](world) as work:
        _reset_peak_memory()
        wall, cpu = time.perf_counter(), time.process_time()
        rows = work()
        while kind != "work" and time.perf_counter() - wall < LEAST_SECONDS:
            rows += work()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        peak = _peak_memory()
    return Measurement(rows, cpu, wall, peak)


def _reset_peak_memory() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_memory() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main() -> None:
    kind, stage, folder, rows, threads = sys.argv[1:]
    print(json.dumps(asdict(measure_here(kind, stage, World(Path(folder), int(rows), int(threads))))))


if __name__ == "__main__":
    main()
