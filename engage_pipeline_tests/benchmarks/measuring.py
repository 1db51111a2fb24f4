"""Measures one stage, or what it is held against, in a process of its own, so that the peak memory is its own.

    python -m engage_pipeline_tests.benchmarks.measuring work ingest FOLDER ROWS THREADS

prints one line of JSON. Inputs are opened and libraries imported before the clock starts.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.machine.memory import peak_memory_mb, release_memory, reset_peak_memory
from engage_pipeline.machine.threads import arrow_threads
from engage_pipeline_tests.benchmarks.kinds import KINDS, WORK
from engage_pipeline_tests.benchmarks.watched import with_bytecode
from engage_pipeline_tests.benchmarks.world import World

LEAST_SECONDS = 1.0
"""What a stage is held against is repeated for so long: some of it takes milliseconds."""


@dataclass(frozen=True)
class Measurement:
    """Rows worked, seconds of CPU (children's too) and wall, peak resident memory (MiB) of the process, and figures."""

    rows: int
    cpu_seconds: float
    wall_seconds: float
    peak_mib: int
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def rows_a_second(self) -> float:
        """Rows a second of CPU: of one core."""
        return self.rows / max(self.cpu_seconds, 1e-9)


def measure(kind: str, stage: str, world: World) -> Measurement:
    """Runs the stage in a child process with the world's number of threads. Raises CalledProcessError if it fails."""
    threads = str(world.threads)
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), threads)
    environment = {**with_bytecode(), **limits, "OMP_WAIT_POLICY": "PASSIVE", "TQDM_DISABLE": "1"}
    arguments = [kind, stage, str(world.folder), str(world.rows), threads]
    command = [sys.executable, "-m", "engage_pipeline_tests.benchmarks.measuring", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def measure_once(kind: str, stage: str, world: World, kept: Path) -> Measurement:
    """What `measure` gives, or gave before: it is noted in the folder `kept`."""
    note = note_of(kind, stage, world.rows, world.threads, kept)
    if note.exists():
        return noted(note)
    found = measure(kind, stage, world)
    with atomic_file(note) as path:
        path.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def note_of(kind: str, stage: str, rows: int, threads: int, kept: Path) -> Path:
    """Where the folder `kept` has a measurement, if it has one."""
    return kept / f"{rows}-{threads}-{stage}-{kind}.json"


def noted(note: Path) -> Measurement:
    """The measurement of a note."""
    return Measurement(**json.loads(note.read_text(encoding="utf-8")))


def measure_here(kind: str, stage: str, world: World) -> Measurement:
    """Runs the stage in this process."""
    with arrow_threads(world.threads), KINDS[kind][stage](world) as work:
        release_memory()
        reset_peak_memory()
        wall, cpu = time.perf_counter(), _cpu_seconds()
        done = work()
        rows = done.rows
        while kind != WORK and time.perf_counter() - wall < LEAST_SECONDS:
            rows += work().rows
        cpu, wall = _cpu_seconds() - cpu, time.perf_counter() - wall
        peak = peak_memory_mb()
    return Measurement(rows, cpu, wall, peak, done.figures)


def _cpu_seconds() -> float:
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def main() -> None:
    kind, stage, folder, rows, threads = sys.argv[1:]
    world = World(Path(folder), int(rows), int(threads))
    print(json.dumps(asdict(measure_here(kind, stage, world))))


if __name__ == "__main__":
    main()
