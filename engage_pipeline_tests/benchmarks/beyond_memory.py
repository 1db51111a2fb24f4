"""More rows than the memory holds, through ingest, counts, similarity and features under a memory limit.

    python -m engage_pipeline_tests.benchmarks.beyond_memory --folder FOLDER --rows 20000000 --memory-limit 4GB

The rows are synthesized in shards, each a world of its own with its own users, one training part a shard. What FOLDER
holds already is kept, so that a run that was stopped goes on; the assets are made by `engage run`, a process a target.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.config import load_settings
from engage_pipeline.spill import spill_folder
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests.benchmarks.world import ROWS_A_USER
from engage_pipeline_tests.worlds import REPOSITORY

TRAINING_SHARE = 0.7625
"""Of the rows of a synthetic world."""
TARGETS = ("tweet_parts", "interaction_counts", "author_similarity", "validation_counts", "interaction_features")
ENGAGE = "import sys; sys.argv[0] = 'engage'; from engage_pipeline.cli import main; main()"


@dataclass(frozen=True)
class Figures:
    """Training rows, seconds of CPU and wall, peak resident memory (MB), most that was spilled and size (bytes)."""

    target: str
    rows: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: int
    spilled: int
    size: int

    def line(self) -> str:
        """A row of the table."""
        rate = self.rows / max(self.cpu_seconds, 1e-9)
        return (
            f"| {self.target} | {self.cpu_seconds:,.0f} | {self.wall_seconds:,.0f} | {rate:,.0f} | {self.peak_mb:,} "
            f"| {self.spilled / 1e9:.1f} | {self.size / 1e9:.2f} |"
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


def write_config(folder: Path, memory_limit: str, threads: int) -> Path:
    """config.yaml and dagster.yaml of the run."""
    values = {
        "preset": "demo",
        "recsys_data": "raw/train",
        "validation_part": "raw/validation/part-00000",
        "test_data": "raw/test",
        "engine": {"threads": threads, "memory_limit": memory_limit},
    }
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def make(config: Path, target: str) -> Figures:
    """Makes the target with `engage run` and measures the process."""
    store = ArtifactStore(load_settings(config))
    environment = {**os.environ, "DAGSTER_HOME": str(config.parent), "TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with _watched(spill_folder(store.settings)) as spilled:
        command = [sys.executable, "-c", ENGAGE, "run", "--config", str(config), "--target", target]
        subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    made = [store.open(target, key).manifest for key in (store.parts() if target in _PARTITIONED else [None])]
    return Figures(
        target,
        sum(store.open("tweet_parts", key).manifest.rows or 0 for key in store.parts()),
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        wall,
        max(manifest.facts["peak_mb"] for manifest in made),
        spilled[0],
        sum(file.bytes for manifest in made for file in manifest.files.values()),
    )


_PARTITIONED = ("tweet_parts", "interaction_features")


@contextmanager
def _watched(spill: Path) -> Iterator[list[int]]:
    """The most bytes that the spill folder held, looked at ten times a second."""
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            found = 0
            for path in spill.glob("duckdb_temp_*"):
                try:
                    found += path.stat().st_size
                except FileNotFoundError:
                    continue
            most[0] = max(most[0], found)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.beyond_memory")
    parser.add_argument("--folder", type=Path, required=True, help="where the parts and artifacts are written")
    parser.add_argument("--rows", type=int, default=20_000_000, help="training rows [default: %(default)s]")
    parser.add_argument("--shard-rows", type=int, default=1_250_000, help="rows of a part [default: %(default)s]")
    parser.add_argument("--memory-limit", default="4GB", help="engine.memory_limit [default: %(default)s]")
    parser.add_argument("--threads", type=int, default=2, help="engine.threads [default: %(default)s]")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    text_bytes = make_shards(folder, options.rows, options.shard_rows)
    config = write_config(folder, options.memory_limit, options.threads)
    print(f"{text_bytes / 1e9:.2f} GB of text\n\n{HEADER}")
    for target in TARGETS:
        print(make(config, target).line(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
