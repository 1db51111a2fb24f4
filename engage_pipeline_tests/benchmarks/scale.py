"""What a run of many rows takes, from the rates on the page of measurements.

    python -m engage_pipeline_tests.benchmarks.scale --rates docs/performance.md --out docs/scale.md

A target takes `fixed + cpu_a_row rows (serial + (1 - serial) / cores)` seconds: Amdahl's law, where the serial share is
what kept the measured run from using all its threads, `wall = cpu (serial + (1 - serial) / threads)`. Of an engine with
runs of two sizes, what lies between them tells the row, and the rest is the fixed part, which no core shortens; of an
engine with one run nothing is fixed.

Features are looked up for as many rows at once as memory holds, and each time all counters of the window are read: that
grows with the product of both, `reading rows ceil(rows / at once)`. What reading costs is the difference between the
same rows among few and among many, by the stages interaction_features and crowded_features; on Spark it is taken to be
as much dearer as counting is.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engage_pipeline.config import settings_from
from engage_pipeline.interactions.pieces import Sizes
from engage_pipeline.sections import TreeSettings
from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.beyond_memory import HEADER, TARGETS
from engage_pipeline_tests.benchmarks.stages.interactions import CROWD

SIZES = (1_000_000, 10_000_000, 100_000_000, 750_000_000, 1_000_000_000)
DUCKDB_MACHINES = ((2, 8), (16, 64), (64, 256))
"""Cores and GB of memory."""
SPARK_CORES = (16, 64, 256, 1024)
SPARK_DRIVER_GB = 64
FEATURES, CROWDED = "interaction_features", "crowded_features"
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
    """What `engage run --target` took at one size: CPU and wall seconds of `threads` threads, peak MB, GB written.

    `at_once` rows were looked up at once.
    """

    cpu: float
    wall: float
    threads: int
    at_once: int
    peak_mb: int
    disk_gb: float


Run = Mapping[str, Target]
"""By the name of the target."""


@dataclass(frozen=True)
class Rates:
    """Runs by engine and rows, rows a second of one core by stage, distinct tweets a row, and text by rows of a run.

    `reading`: seconds of CPU to read the counters of one row of a window, by engine.
    """

    runs: Mapping[str, Mapping[int, Run]]
    stages: Mapping[str, float]
    tweets_a_row: float
    text_gb: Mapping[int, float]
    reading: Mapping[str, float]

    def lines(self, engine: str) -> dict[str, "Line"]:
        """Of each target."""
        return {name: line(self.runs[engine], name, self.reading[engine]) for name in TARGETS}

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
    """How a target grows: wall and CPU seconds that it takes at all, CPU seconds a row, and their serial share.

    `reading`: CPU seconds a row each time that the counters are read.
    """

    fixed_wall: float
    fixed_cpu: float
    cpu_a_row: float
    serial: float
    reading: float = 0.0

    def hours(self, rows: int, cores: int, at_once: int) -> float:
        """Wall time."""
        shared = self._work(rows, at_once) * (self.serial + (1 - self.serial) / cores)
        return (self.fixed_wall + shared) / 3600

    def cpu_seconds(self, rows: int, at_once: int) -> float:
        """Of all cores."""
        return self.fixed_cpu + self._work(rows, at_once)

    def _work(self, rows: int, at_once: int) -> float:
        return self.cpu_a_row * rows + reading_seconds(self.reading, rows, at_once)


def reading_seconds(a_row: float, rows: int, at_once: int) -> float:
    """CPU seconds of reading the counters of a window of `rows` for all of them, so many at once."""
    return a_row * rows * -(-rows // at_once)


def line(runs: Mapping[int, Run], target: str, reading: float = 0.0) -> Line:
    """Through the smallest and the largest run; through zero and the run where there is one.

    `reading` counts for features alone.
    """
    reading = reading if target == FEATURES else 0.0
    few, many = min(runs), max(runs)
    small, large = (_without_reading(runs[rows][target], rows, reading) for rows in (few, many))
    if few == many:
        return Line(0, 0, large.cpu / many, _serial(large.cpu, large.wall, large.threads), reading)
    cpu, wall = large.cpu - small.cpu, large.wall - small.wall
    if cpu <= 0:
        return Line(large.wall, large.cpu, 0, 0, reading)
    serial = _serial(cpu, wall, large.threads)
    grown = many / (many - few)
    fixed = max(large.wall - wall * grown, 0), max(large.cpu - cpu * grown, 0)
    return Line(*fixed, cpu / (many - few), serial, reading)


def _without_reading(target: Target, rows: int, reading: float) -> Target:
    """What the target would have taken without the counters' reading, wall time by the share of the CPU time."""
    left = max(target.cpu - reading_seconds(reading, rows, target.at_once), 0.0)
    return replace(target, cpu=left, wall=target.wall * left / target.cpu) if target.cpu else target


def _serial(cpu: float, wall: float, threads: int) -> float:
    """The share of Amdahl's law, between 0 and 1."""
    return 1.0 if threads == 1 else min(max((threads * wall / cpu - 1) / (threads - 1), 0.0), 1.0)


def run_hours(lines: Mapping[str, Line], rows: int, cores: int, at_once: int) -> float:
    """All targets one after the other."""
    return sum(line.hours(rows, cores, at_once) for line in lines.values())


def run_cpu_seconds(lines: Mapping[str, Line], rows: int, at_once: int) -> float:
    """Of all targets."""
    return sum(line.cpu_seconds(rows, at_once) for line in lines.values())


def rows_at_once(memory_limit: str) -> int:
    """How many rows are looked up at once under that engine.memory_limit."""
    return Sizes.within(settings_from({"engine": {"memory_limit": memory_limit}}, folder=Path())).at_once


def _rows_at_once_on(gigabytes: float) -> int:
    """On a machine with so much memory, under the default limit."""
    return rows_at_once(f"{0.7 * gigabytes:.1f}GB")


_RUN = re.compile(
    r"^### (?P<rows>[\d,]+) rows on (?P<engine>\w+), (?P<threads>\d+) threads, memory_limit (?P<limit>\S+)$"
)
_RUN_COLUMNS = HEADER.splitlines()[0].count("|") - 1
_STAGE_COLUMNS = report.HEADER[0].count("|") - 1
_TEXT = re.compile(r"^(?P<gb>[\d.]+) GB of text$")


def read_rates(page: str) -> Rates:
    """The tables of `make bench` and of `beyond_memory`. Raises ValueError naming what the page lacks."""
    runs: dict[str, dict[int, dict[str, Target]]] = {}
    stages: dict[str, tuple[int, float]] = {}
    text: dict[int, float] = {}
    rows = threads = at_once = 0
    current: dict[str, Target] = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        if found := _RUN.match(line):
            rows, threads, at_once = _number(found["rows"]), int(found["threads"]), rows_at_once(found["limit"])
            current = runs.setdefault(found["engine"], {}).setdefault(rows, {})
        elif found := _TEXT.match(line):
            text[rows] = float(found["gb"])
        elif cells[0] in TARGETS and len(cells) == _RUN_COLUMNS:
            current[cells[0]] = _target(cells[1:], threads, at_once)
        elif len(cells) == _STAGE_COLUMNS and cells[1].replace(",", "").isdigit():
            stages[cells[0]] = _number(cells[1]), _number(cells[4])
    for engine in ("duckdb", "spark"):
        _check_runs(engine, runs.get(engine, {}))
    if missing := {"ingest", "token_sketches", FEATURES, CROWDED, *MODEL_STAGES} - set(stages):
        raise ValueError(f"the table of stages lacks {min(missing)}")
    tweets_a_row = stages["token_sketches"][0] / stages["ingest"][0]
    rates = {name: rate for name, (_, rate) in stages.items()}
    return Rates(runs, rates, tweets_a_row, text, _reading(runs, stages))


def _target(cells: Sequence[str], threads: int, at_once: int) -> Target:
    cpu, wall, _, peak_mb, _, disk = cells
    return Target(_number(cpu), _number(wall), threads, at_once, _number(peak_mb), float(disk))


def _reading(runs: Mapping[str, Mapping[int, Run]], stages: Mapping[str, tuple[int, float]]) -> dict[str, float]:
    """Seconds of CPU to read the counters of one row of a window, by engine."""
    alone, crowded = (1 / stages[name][1] for name in (FEATURES, CROWDED))
    on_duckdb = max(crowded - alone, 0.0) / (CROWD - 1)
    counting = {engine: line(of_engine, "interaction_counts").cpu_a_row for engine, of_engine in runs.items()}
    return {engine: on_duckdb * counting[engine] / counting["duckdb"] for engine in runs}


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
    duckdb, spark = rates.lines("duckdb"), rates.lines("spark")
    on_spark = [(cores, SPARK_DRIVER_GB) for cores in SPARK_CORES]
    machines = {f"{cores} cores, {memory} GB": (cores, memory) for cores, memory in DUCKDB_MACHINES}
    workers = {f"{cores:,} cores": (cores, memory) for cores, memory in on_spark}
    sections = [
        _grid("Hours of the interactions stage on DuckDB, one machine", duckdb, machines),
        _grid("Hours of the interactions stage on Spark, cores of all workers", spark, workers),
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


def _grid(title: str, lines: Mapping[str, Line], machines: Mapping[str, tuple[int, int]]) -> list[str]:
    """`machines`: cores and GB of memory by name."""
    rows = (
        [
            f"{rows:,}",
            *(f"{run_hours(lines, rows, n, _rows_at_once_on(memory)):,.2f}" for n, memory in machines.values()),
        ]
        for rows in SIZES
    )
    return _table(title, ["rows", *machines], rows, texts=0)


def _cheaper(duckdb: Mapping[str, Line], spark: Mapping[str, Line]) -> str:
    rows, at_once = SIZES[-1], _rows_at_once_on(SPARK_DRIVER_GB)
    ratio = run_cpu_seconds(spark, rows, at_once) / run_cpu_seconds(duckdb, rows, at_once)
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
        for name, grown in rates.lines(engine).items():
            peak, reading = runs[max(runs)][name].peak_mb, f"{1e6 * grown.reading:,.2f}" if grown.reading else ""
            figures = f"{grown.fixed_wall:,.0f}", f"{1e6 * grown.cpu_a_row:,.1f}", reading, f"{grown.serial:.0%}"
            rows.append([engine, name, *figures, f"{peak:,}"])
    columns = (
        *("engine", "target", "fixed s", "CPU s a million rows", "to read their counters once"),
        *("serial share", "largest run's peak MB"),
    )
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
