"""What a run of many rows takes, from the rates on the page of measurements.

    python -m engage_pipeline_tests.benchmarks.scale --rates docs/performance.md --out docs/scale.md

A target takes `fixed + cpu_a_row rows (serial + (1 - serial) / cores)` seconds: Amdahl's law, where the serial share is
what kept the measured run from using all its threads, `wall = cpu (serial + (1 - serial) / threads)`. Of an engine with
runs of two sizes, what lies between them tells the row, and the rest is the fixed part, which no core shortens; of an
engine with one run nothing is fixed.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline.sections import TreeSettings
from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.beyond_memory import HEADER, TARGETS

SIZES = (1_000_000, 10_000_000, 100_000_000, 750_000_000, 1_000_000_000)
DUCKDB_CORES = (2, 16, 64)
SPARK_CORES = (16, 64, 256, 1024)
SCORED_SHARE = 12 / 76
"""Validation rows, and test rows, for one training row in a synthetic world."""
MOST_TREE_ROWS = TreeSettings().max_rows
MODEL_STAGES = {
    "token_sketches_768": "token sketches, DistilBERT's size, of the distinct tweets",
    "network_1500": "a network of hidden 1500, one pass over the training rows",
    "engagement_effects": "engagement effects, of the training rows",
    "engagement_trees": f"trees, of the validation rows, at most {MOST_TREE_ROWS:,}",
    "predict_1500": "prediction of the test rows, hidden 1500",
}
"""Of the table of stages, in the order of a run."""


@dataclass(frozen=True)
class Target:
    """What `engage run --target` took at one size: CPU and wall seconds of `threads` threads, peak MB, GB written."""

    cpu: float
    wall: float
    threads: int
    peak_mb: int
    disk_gb: float


Run = Mapping[str, Target]
"""By the name of the target."""


@dataclass(frozen=True)
class Rates:
    """Runs by engine and rows, rows a second of one core by stage, distinct tweets a row, and text by rows of a run."""

    runs: Mapping[str, Mapping[int, Run]]
    stages: Mapping[str, float]
    tweets_a_row: float
    text_gb: Mapping[int, float]

    def core_hours(self, stage: str, rows: int) -> float:
        """Of one of MODEL_STAGES, for so many training rows."""
        work = {
            "token_sketches_768": self.tweets_a_row * rows,
            "engagement_trees": min(SCORED_SHARE * rows, MOST_TREE_ROWS or rows),
            "predict_1500": SCORED_SHARE * rows,
        }
        return work.get(stage, rows) / self.stages[stage] / 3600


@dataclass(frozen=True)
class Line:
    """How a target grows: wall and CPU seconds that it takes at all, CPU seconds a row, and their serial share."""

    fixed_wall: float
    fixed_cpu: float
    cpu_a_row: float
    serial: float

    def hours(self, rows: int, cores: int) -> float:
        """Wall time."""
        return (self.fixed_wall + self.cpu_a_row * rows * (self.serial + (1 - self.serial) / cores)) / 3600

    def cpu_seconds(self, rows: int) -> float:
        """Of all cores."""
        return self.fixed_cpu + self.cpu_a_row * rows


def line(runs: Mapping[int, Run], target: str) -> Line:
    """Through the smallest and the largest run; through zero and the run where there is one."""
    few, many = min(runs), max(runs)
    large = runs[many][target]
    if few == many:
        return Line(0, 0, large.cpu / many, _serial(large.cpu, large.wall, large.threads))
    small = runs[few][target]
    cpu, wall = large.cpu - small.cpu, large.wall - small.wall
    if cpu <= 0:
        return Line(large.wall, large.cpu, 0, 0)
    serial = _serial(cpu, wall, large.threads)
    grown = many / (many - few)
    return Line(max(large.wall - wall * grown, 0), max(large.cpu - cpu * grown, 0), cpu / (many - few), serial)


def _serial(cpu: float, wall: float, threads: int) -> float:
    """The share of Amdahl's law, between 0 and 1."""
    return 1.0 if threads == 1 else min(max((threads * wall / cpu - 1) / (threads - 1), 0.0), 1.0)


def run_hours(runs: Mapping[int, Run], rows: int, cores: int) -> float:
    """All targets one after the other."""
    return sum(line(runs, name).hours(rows, cores) for name in TARGETS)


def run_cpu_seconds(runs: Mapping[int, Run], rows: int) -> float:
    """Of all targets."""
    return sum(line(runs, name).cpu_seconds(rows) for name in TARGETS)


_RUN = re.compile(r"^### (?P<rows>[\d,]+) rows on (?P<engine>\w+), (?P<threads>\d+) threads\b")
_RUN_COLUMNS = HEADER.splitlines()[0].count("|") - 1
_STAGE_COLUMNS = report.HEADER[0].count("|") - 1
_TEXT = re.compile(r"^(?P<gb>[\d.]+) GB of text$")


def read_rates(page: str) -> Rates:
    """The tables of `make bench` and of `beyond_memory`. Raises ValueError naming what the page lacks."""
    runs: dict[str, dict[int, dict[str, Target]]] = {}
    stages: dict[str, tuple[int, float]] = {}
    text: dict[int, float] = {}
    rows = threads = 0
    current: dict[str, Target] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if found := _RUN.match(line):
            rows, threads = _number(found["rows"]), int(found["threads"])
            current = runs.setdefault(found["engine"], {}).setdefault(rows, {})
        elif found := _TEXT.match(line):
            text[rows] = float(found["gb"])
        elif cells[0] in TARGETS and len(cells) == _RUN_COLUMNS:
            current[cells[0]] = _target(cells[1:], threads)
        elif len(cells) == _STAGE_COLUMNS and cells[1].replace(",", "").isdigit():
            stages[cells[0]] = _number(cells[1]), _number(cells[4])
    for engine in ("duckdb", "spark"):
        _check_runs(engine, runs.get(engine, {}))
    if missing := {"ingest", "token_sketches", *MODEL_STAGES} - set(stages):
        raise ValueError(f"the table of stages lacks {min(missing)}")
    tweets_a_row = stages["token_sketches"][0] / stages["ingest"][0]
    return Rates(runs, {name: rate for name, (_, rate) in stages.items()}, tweets_a_row, text)


def _target(cells: Sequence[str], threads: int) -> Target:
    cpu, wall, _, peak_mb, _, disk = cells
    return Target(_number(cpu), _number(wall), threads, _number(peak_mb), float(disk))


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _check_runs(engine: str, runs: Mapping[int, Run]) -> None:
    if not runs:
        raise ValueError(f"there is no table of a run on {engine}")
    for rows, run in runs.items():
        if missing := [name for name in TARGETS if name not in run]:
            raise ValueError(f"the run of {rows:,} rows on {engine} lacks {missing[0]}")


def markdown(rates: Rates) -> str:
    """The page's tables."""
    duckdb, spark = rates.runs["duckdb"], rates.runs["spark"]
    sections = [
        _grid("Hours of the interactions stage on DuckDB, one machine", duckdb, DUCKDB_CORES),
        _grid("Hours of the interactions stage on Spark, cores of all workers", spark, SPARK_CORES),
        [_cheaper(duckdb, spark)],
        _space(rates),
        _models(rates),
        _measured(rates),
    ]
    return "\n\n".join("\n".join(section) for section in sections)


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]], *, texts: int = 1) -> list[str]:
    """A Markdown table under its title; the first `texts` columns are words, the others numbers."""
    names = list(columns)
    marks = ["---"] * texts + ["--:"] * (len(names) - texts)
    cells = (f"| {' | '.join(row)} |" for row in (names, *rows))
    return [f"### {title}", "", next(cells), f"|{'|'.join(marks)}|", *cells]


def _grid(title: str, runs: Mapping[int, Run], cores: Sequence[int]) -> list[str]:
    rows = ([f"{rows:,}", *(f"{run_hours(runs, rows, n):,.2f}" for n in cores)] for rows in SIZES)
    return _table(title, ["rows", *(f"{n:,} cores" for n in cores)], rows, texts=0)


def _cheaper(duckdb: Mapping[int, Run], spark: Mapping[int, Run]) -> str:
    rows = SIZES[-1]
    ratio = run_cpu_seconds(spark, rows) / run_cpu_seconds(duckdb, rows)
    return f"At {rows:,} rows Spark takes {ratio:.1f} times the CPU time of DuckDB."


def _space(rates: Rates) -> list[str]:
    rows, run = max(rates.runs["duckdb"].items())
    written = sum(target.disk_gb for target in run.values())
    columns = {
        "text": rates.text_gb.get(rows, 0.0),
        "parts": run["tweet_parts"].disk_gb,
        "features": run["interaction_features"].disk_gb,
        "counts and the rest": written - run["tweet_parts"].disk_gb - run["interaction_features"].disk_gb,
    }
    sizes = ([f"{size:,}", *(f"{gb * size / rows:,.1f}" for gb in columns.values())] for size in SIZES)
    return _table("Disk, GB", ["rows", *columns], sizes, texts=0)


def _models(rates: Rates) -> list[str]:
    rows = (
        [title, f"{rates.stages[name]:,.0f}", *(f"{rates.core_hours(name, size):,.1f}" for size in SIZES)]
        for name, title in MODEL_STAGES.items()
    )
    return _table("Core hours of the models", ["stage", "rows/s per core", *(f"{size:,}" for size in SIZES)], rows)


def _measured(rates: Rates) -> list[str]:
    rows = []
    for engine, runs in rates.runs.items():
        for name in TARGETS:
            grown, peak = line(runs, name), runs[max(runs)][name].peak_mb
            figures = f"{grown.fixed_wall:,.0f}", f"{1e6 * grown.cpu_a_row:,.1f}", f"{grown.serial:.0%}", f"{peak:,}"
            rows.append([engine, name, *figures])
    columns = "engine", "target", "fixed s", "CPU s a million rows", "serial share", "largest run's peak MB"
    return _table("What is reckoned with", columns, rows, texts=2)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.scale")
    parser.add_argument("--rates", type=Path, default=Path("docs/performance.md"), help="[default: %(default)s]")
    parser.add_argument("--out", type=Path, help="page that the tables are put into; else they are only printed")
    options = parser.parse_args(arguments)
    try:
        text = markdown(read_rates(options.rates.read_text(encoding="utf-8")))
    except ValueError as error:
        parser.error(f"{options.rates}: {error}")
    print(text)
    if options.out:
        report.write_into(options.out, text)


if __name__ == "__main__":
    main(sys.argv[1:])
