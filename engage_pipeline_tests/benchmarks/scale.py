"""The time and disk of a run of many rows, computed from the rates on the page of measurements.

python -m engage_pipeline_tests.benchmarks.scale --rates docs/performance.md --out docs/scale.md
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.cost_model import (
    MOST_TREE_ROWS,
    Line,
    Rates,
    rows_at_once,
    run_cpu_seconds,
    run_hours,
)
from engage_pipeline_tests.benchmarks.rates import read_rates

SIZES = (1_000_000, 10_000_000, 100_000_000, 750_000_000, 1_000_000_000)
DUCKDB_MACHINES = ((2, 8), (16, 64), (64, 256))
"""Cores and GB of memory."""
SPARK_CORES = (16, 64, 256, 1024)
SPARK_DRIVER_GB = 64
MODEL_STAGES = {
    "token_sketches_768": "token sketches, DistilBERT's size, of the distinct tweets",
    "network_1500": "a network of hidden 1500, one pass over the training rows",
    "engagement_effects": "engagement effects, of the training rows",
    "engagement_trees": f"trees, of the validation rows, at most {MOST_TREE_ROWS:,}",
    "predict_1500": "prediction of the test rows, hidden 1500",
}
"""Of the table of stages, in the order of a run."""
NOTES = (
    "An engine measured at one size alone has no fixed seconds. A serial share of 100 % means that the target kept one "
    "core busy and no more. Only features read counters."
)


def _rows_at_once_on(gigabytes: float) -> int:
    """On a machine with so much memory, under the default limit."""
    return rows_at_once(f"{0.7 * gigabytes:.1f}GB")


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
    return [*_table("What the tables are computed from", columns, rows, texts=2), "", NOTES]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.scale")
    parser.add_argument("--rates", type=Path, default=Path("docs/performance.md"), help="[default: %(default)s]")
    parser.add_argument("--out", type=Path, help="page that the tables are put into; else they are only printed")
    options = parser.parse_args(arguments)
    try:
        text = markdown(read_rates(options.rates.read_text(encoding="utf-8"), MODEL_STAGES))
    except ValueError as error:
        parser.error(f"{options.rates}: {error}")
    print(text)
    if options.out:
        report.write_into(options.out, text)


if __name__ == "__main__":
    main(sys.argv[1:])
