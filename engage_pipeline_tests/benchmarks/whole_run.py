"""Worlds of growing size through every asset of a preset under a memory limit, a process a target.

    python -m engage_pipeline_tests.benchmarks.whole_run --folder FOLDER --rows 100000,1000000,20000000

With `--engine spark` the first two stages alone, on `local[threads]`. The rows are synthesized in shards, each a world
of its own with its own users, one training part and one test part a shard; the validation part is that of all shards.
What FOLDER holds already is kept, so that a run that was stopped goes on; the assets are made by `engage run`: what
takes few seconds `--times` times, of which the median counts. A target is made of all sizes before the next one is, so
that its figures are of the same minutes. With `--out` the tables of all sizes in FOLDER go into the page.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import yaml

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.machine.spill import spill_folder
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.watched import bytes_below, watch, with_bytecode
from engage_pipeline_tests.benchmarks.world import ROWS_A_USER
from engage_pipeline_tests.worlds import REPOSITORY

TRAINING_SHARE = 0.7625
"""Of the rows of a synthetic world."""
TARGETS = tuple(ARTIFACTS)
"""In the order of a run."""
ON_SPARK = tuple(name for name, artifact in ARTIFACTS.items() if artifact.stage in (Stage.INGEST, Stage.INTERACTIONS))
ENGAGE = "import sys; sys.argv[0] = 'engage'; from engage_pipeline.cli import main; main()"
HEADER = """| target | CPU s | wall s | rows/s per core | peak MB | spilled GB | on disk GB |
|---|--:|--:|--:|--:|--:|--:|"""
_FEW_SECONDS = 60
_LARGEST = ("CPU s", "wall s", "power", "spilled GB", "bytes a row on disk")


@dataclass(frozen=True)
class Figures:
    """Training rows of the world, seconds, peak memory of all processes, of the first, and of all without mapped files,
    bytes spilled, and those of the files that were made: none of a file shared with another artifact."""

    target: str
    rows: int
    cpu: float
    wall: float
    peak_mb: int
    own_peak_mb: int
    spilled: int
    size: int
    unmapped_peak_mb: int = 0

    @property
    def rate(self) -> float:
        """Training rows a second of CPU."""
        return self.rows / max(self.cpu, 0.1)

    def line(self) -> str:
        """A row of the table of one size."""
        return (
            f"| {self.target} | {self.cpu:,.0f} | {self.wall:,.0f} | {self.rate:,.0f} | {self.peak_mb:,} "
            f"| {self.spilled / 1e9:.1f} | {self.size / 1e9:.2f} |"
        )


def make_shards(folder: Path, rows: int, shard_rows: int) -> None:
    """Writes below `folder`/raw parts of `rows` training rows, and of as many others as a world has beside them."""
    raw = folder / "raw"
    (raw / "validation").mkdir(parents=True, exist_ok=True)
    for number in range(-(-rows // shard_rows)):
        training, testing = (raw / kind / f"part-{number:05d}" for kind in ("train", "test"))
        if training.exists():
            continue
        print(f"shard {number}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=".shard-", dir=folder) as shard:
            world = Path(shard) / "raw"
            whole = round(min(shard_rows, rows - number * shard_rows) / TRAINING_SHARE)
            synthesize(world, rows=whole, users=max(whole // ROWS_A_USER, 10), parts=1, seed=number + 1)
            (world / "validation" / "part-00000").rename(raw / "validation" / f".shard-{number:05d}")
            for kind, part in (("test", testing), ("train", training)):
                part.parent.mkdir(exist_ok=True)
                (world / kind / "part-00000").rename(part)
    if pieces := sorted((raw / "validation").glob(".shard-*")):
        with (raw / "validation" / "part-00000").open("wb") as validation:
            for piece in pieces:
                with piece.open("rb") as rest:
                    shutil.copyfileobj(rest, validation)
        for piece in pieces:
            piece.unlink()


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


def make(config: Path, target: str, rows: int) -> Figures:
    """Makes the target with `engage run` and measures it. Raises CalledProcessError where it fails."""
    store = ArtifactStore(load_settings(config))
    quiet = {"TQDM_DISABLE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    environment = {**with_bytecode(), **quiet, "DAGSTER_HOME": str(config.parent)}
    command = [sys.executable, "-c", ENGAGE, "run", "--config", str(config), "--target", target]
    seen, wall = watch(command, environment, spill_folder(store.settings))
    keys = store.parts() if ARTIFACTS[target].partitioned else [None]
    files = [path.stat() for key in keys for path in store.open(target, key).directory([]).iterdir()]
    made = [file.st_size for file in files if file.st_nlink == 1]
    cpu = sum(seen.cpu_of.values())
    return Figures(
        target, rows, cpu, wall, seen.peak_mb, seen.own_peak_mb, seen.spilled, sum(made), seen.unmapped_peak_mb
    )


def make_again(config: Path, target: str, rows: int, times: int) -> Figures:
    """Makes the target, and if that takes few seconds removes and makes it anew until it was made `times` times: the
    figures of the one of median CPU, as one alone may take a tenth more."""
    store, found = ArtifactStore(load_settings(config)), [make(config, target, rows)]
    while found[0].cpu < _FEW_SECONDS and len(found) < times:
        shutil.rmtree(store.root / ARTIFACTS[target].stage.value / target)
        found.append(make(config, target, rows))
    return sorted(found, key=lambda one: one.cpu)[len(found) // 2]


def run(folder: Path, rows: int, options: argparse.Namespace) -> Iterator[Figures]:
    """The targets of one size, whose shards are there. What `folder` has figures of is not made again."""
    engine = {"kind": options.engine, "threads": options.threads, "memory_limit": options.memory_limit}
    config = write_config(folder, engine | {"spark_master": f"local[{options.threads}]"})
    noted = folder / "figures.json"
    kept: dict[str, Any] = json.loads(noted.read_text()) if noted.exists() else {}
    for target in options.targets or (ON_SPARK if options.engine == "spark" else TARGETS):
        if target not in kept:
            kept[target] = asdict(make_again(config, target, rows, options.times))
            noted.write_text(json.dumps(kept))
        yield Figures(**kept[target])


def growth(runs: Sequence[dict[str, Figures]]) -> str:
    """How each target grows over runs of growing size: rows/s of CPU and peak memory, seconds of the largest, and the
    power of each step.

    Of three runs or more, powers are those of rows and CPU seconds beyond the smallest run, which has the start of the
    processes; so they begin with the second step.
    """
    sizes = [next(iter(run.values())).rows for run in runs]
    titles = [f"{rows:,} rows" for rows in sizes]
    lines = [f"| target | {' | '.join([*titles, *_LARGEST])} |", "|---|" + "--:|" * (len(sizes) + len(_LARGEST))]
    for target, last in runs[-1].items():
        steps = [run[target] for run in runs]
        cells = [f"{step.rate:,.0f}/s, {step.peak_mb:,} MB" for step in steps]
        counted = (
            [_beyond(steps[0], step) for step in steps[1:]] if len(steps) > 2 else [(s.rows, s.cpu) for s in steps]
        )
        powers = [log(cpu / little) / log(rows / few) for (few, little), (rows, cpu) in pairwise(counted)]
        cells += [f"{last.cpu:,.0f}", f"{last.wall:,.0f}", ", ".join(f"{power:.2f}" for power in powers)]
        cells += [f"{last.spilled / 1e9:.1f}", f"{last.size / last.rows:,.1f}"]
        lines.append(f"| {target} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _beyond(least: Figures, figures: Figures) -> tuple[int, float]:
    """Rows and CPU seconds beyond `least`, at least a tenth of a second."""
    return figures.rows - least.rows, max(figures.cpu - least.cpu, 0.1)


def section(figures: dict[str, Figures], title: str, folder: Path, options: argparse.Namespace) -> str:
    """The table of one size with its title, and peaks that it has no columns for."""

    def peaks(name: str) -> str:
        return ", ".join(f"{target} {getattr(found, name):,}" for target, found in figures.items())

    lines = [
        f"### {title}, {options.threads} threads, memory_limit {options.memory_limit}",
        f"{bytes_below(folder / 'raw' / 'train') / 1e9:.2f} GB of text",
        "\n".join([HEADER, *(found.line() for found in figures.values())]),
        f"Peak MB without mapped files: {peaks('unmapped_peak_mb')}",
    ]
    if options.engine == "spark":
        lines.append(f"Peak MB of the Python driver: {peaks('own_peak_mb')}")
    return "\n\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.whole_run")
    parser.add_argument("--folder", type=Path, required=True, help="where the parts and artifacts are written")
    parser.add_argument("--rows", default="20000000", help="training rows, numbers with commas [default: %(default)s]")
    parser.add_argument("--shard-rows", type=int, default=1_250_000, help="rows of a part [default: %(default)s]")
    parser.add_argument("--memory-limit", default="4GB", help="engine.memory_limit [default: %(default)s]")
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb", help="[default: %(default)s]")
    parser.add_argument("--threads", type=int, default=2, help="engine.threads [default: %(default)s]")
    parser.add_argument("--times", type=int, default=1, help="of what takes few seconds [default: %(default)s]")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, help="these alone, in the order of a run")
    parser.add_argument("--out", type=Path, help="page that the tables are put into; else they are only printed")
    options = parser.parse_args(arguments)
    sizes = sorted(int(rows) for rows in options.rows.split(","))
    folders = {rows: options.folder.resolve() / f"{options.engine}-{rows}" for rows in sizes}
    for rows, folder in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        make_shards(folder, rows, options.shard_rows)
    found = list(zip(*(run(folder, rows, options) for rows, folder in folders.items()), strict=True))
    runs = [{figures.target: figures for figures in column} for column in zip(*found, strict=True)]
    text = [
        section(figures, f"{rows:,} rows on {options.engine}", folder, options)
        for (rows, folder), figures in zip(folders.items(), runs, strict=True)
    ]
    print("\n\n".join(text), flush=True)
    if len(runs) > 1:
        text.insert(0, growth(runs))
        print(text[0], flush=True)
    if options.out:
        report.write_into(options.out, "\n\n".join(text), f"a whole run on {options.engine}")


if __name__ == "__main__":
    main(sys.argv[1:])
