"""More rows than the memory holds, through ingest, counts, similarity and features under a memory limit.

    python -m engage_pipeline_tests.benchmarks.beyond_memory --folder FOLDER --rows 20000000 --memory-limit 4GB

With `--engine spark` the same on Spark, `local[threads]`. The rows are synthesized in shards, each a world of its own
with its own users, one training part a shard. What FOLDER holds already is kept, so that a run that was stopped goes
on; the assets are made by `engage run`, a process a target.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from engage_pipeline.machine.spill import spill_folder
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests import servers
from engage_pipeline_tests.benchmarks.world import ROWS_A_USER
from engage_pipeline_tests.worlds import REPOSITORY

TRAINING_SHARE = 0.7625
"""Of the rows of a synthetic world."""
TARGETS = ("tweet_parts", "interaction_counts", "author_similarity", "validation_counts", "interaction_features")
ENGAGE = "import sys; sys.argv[0] = 'engage'; from engage_pipeline.cli import main; main()"


_PARTITIONED = ("tweet_parts", "interaction_features")
_A_LOOK = 0.2
"""Seconds between two looks at a process."""


@dataclass
class Watched:
    """What a process and all that it started took, looked at five times a second (Linux)."""

    session: int
    spill: Path
    cpu_of: dict[int, float] = field(default_factory=dict)
    peak_mb: int = 0
    own_peak_mb: int = 0
    spilled: int = 0

    def look(self) -> None:
        """Adds what is seen now: seconds of CPU by process, resident memory of the first process (on Spark the Python
        driver) and of all together, and spilled bytes.
        """
        resident = 0
        for pid in servers.alive_in_session(self.session):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            self.cpu_of[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            if pid == self.session:
                self.own_peak_mb = max(self.own_peak_mb, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 2**20)
        self.peak_mb = max(self.peak_mb, resident // 2**20)
        self.spilled = max(self.spilled, _bytes_below(self.spill))


def _bytes_below(folder: Path) -> int:
    found = 0
    for parent, _, names in os.walk(folder):  # passes over folders that go meanwhile
        for name in names:
            with suppress(OSError):
                found += Path(parent, name).lstat().st_size
    return found


@dataclass(frozen=True)
class Figures:
    """Training rows, seconds of wall, what was seen of the process, and the bytes of what it made."""

    target: str
    rows: int
    wall_seconds: float
    seen: Watched
    size: int

    def line(self) -> str:
        """A row of the table."""
        cpu = sum(self.seen.cpu_of.values())
        return (
            f"| {self.target} | {cpu:,.0f} | {self.wall_seconds:,.0f} | {self.rows / max(cpu, _A_LOOK):,.0f} "
            f"| {self.seen.peak_mb:,} | {self.seen.spilled / 1e9:.1f} | {self.size / 1e9:.2f} |"
        )


HEADER = """| target | CPU s | wall s | rows/s per core | peak MB | spilled GB | on disk GB |
|---|--:|--:|--:|--:|--:|--:|"""


def make_shards(folder: Path, rows: int, shard_rows: int) -> int:
    """Writes training parts of `shard_rows` rows each and the first shard's other parts; returns how many bytes."""
    for number in range(-(-rows // shard_rows)):
        part = folder / "raw" / "train" / f"part-{number:05d}"
        if part.exists():
            continue
        print(f"shard {number}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=".shard-", dir=folder) as shard:
            world = Path(shard) / "raw"
            whole = round(min(shard_rows, rows - number * shard_rows) / TRAINING_SHARE)
            synthesize(world, rows=whole, users=max(whole // ROWS_A_USER, 10), parts=1, seed=number + 1)
            if number == 0:
                for kind in ("validation", "test"):
                    shutil.copytree(world / kind, folder / "raw" / kind, dirs_exist_ok=True)
            part.parent.mkdir(parents=True, exist_ok=True)
            (world / "train" / "part-00000").rename(part)
    return sum(path.stat().st_size for path in (folder / "raw" / "train").iterdir())


def write_config(folder: Path, engine: dict[str, object]) -> Path:
    """config.yaml and dagster.yaml of the run; `engine` is that section of the settings."""
    values = {
        "preset": "demo",
        "recsys_data": "raw/train",
        "validation_part": "raw/validation/part-00000",
        "test_data": "raw/test",
        "engine": engine,
        "promotion": {"least_first_rce": None},
    }
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def make(config: Path, target: str) -> Figures:
    """Makes the target with `engage run` and measures it. Raises CalledProcessError where it fails."""
    store = ArtifactStore(load_settings(config))
    environment = {**os.environ, "DAGSTER_HOME": str(config.parent), "TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", ENGAGE, "run", "--config", str(config), "--target", target]
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=sys.stderr, start_new_session=True)
    seen = Watched(process.pid, spill_folder(store.settings))
    while process.poll() is None:
        seen.look()
        time.sleep(_A_LOOK)
    wall = time.monotonic() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    made = [store.open(target, key).manifest for key in (store.parts() if target in _PARTITIONED else [None])]
    return Figures(
        target,
        sum(store.open("tweet_parts", key).manifest.rows or 0 for key in store.parts()),
        wall,
        seen,
        sum(file.bytes for manifest in made for file in manifest.files.values()),
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.beyond_memory")
    parser.add_argument("--folder", type=Path, required=True, help="where the parts and artifacts are written")
    parser.add_argument("--rows", type=int, default=20_000_000, help="training rows [default: %(default)s]")
    parser.add_argument("--shard-rows", type=int, default=1_250_000, help="rows of a part [default: %(default)s]")
    parser.add_argument("--memory-limit", default="4GB", help="engine.memory_limit [default: %(default)s]")
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb", help="[default: %(default)s]")
    parser.add_argument("--threads", type=int, default=2, help="engine.threads [default: %(default)s]")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    text_bytes = make_shards(folder, options.rows, options.shard_rows)
    engine = {"kind": options.engine, "threads": options.threads, "memory_limit": options.memory_limit}
    config = write_config(folder, engine | {"spark_master": f"local[{options.threads}]"})
    size = f"{options.rows:,} rows on {options.engine}, {options.threads} threads, memory_limit {options.memory_limit}"
    print(f"### {size}\n\n{text_bytes / 1e9:.2f} GB of text\n\n{HEADER}", flush=True)
    own = []
    for target in TARGETS:
        figures = make(config, target)
        print(figures.line(), flush=True)
        own.append(f"{target} {figures.seen.own_peak_mb:,}")
    print(f"\nPeak MB of the first process alone, on Spark the Python driver: {', '.join(own)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
