"""The time and disk of a run of many rows, computed from the rates on the page of measurements.

python -m engage_pipeline_tests.benchmarks.scale --rates docs/performance.md --out docs/scale.md
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.cost_model import (
    Line,
    Rates,
    grown_mb,
    run_cpu_seconds,
    run_hours,
)
from engage_pipeline_tests.benchmarks.rates import read_rates

SIZES = (1_000_000, 10_000_000, 100_000_000, 750_000_000, 1_000_000_000)
MACHINE_CORES = (2, 16, 64)
SPARK_CORES = (16, 64, 256, 1024)
CHALLENGE_ROWS = 750_000_000
"""About those of the challenge's training window."""
MODEL_STAGES = {
    "token_sketches_768": "token sketches, DistilBERT's size, of the distinct tweets",
    "network_1500": "a network of hidden 1500, one pass over the training rows",
    "predict_1500": "prediction of the test rows, hidden 1500",
}
"""Of the table of stages: what the models of the full size take beside a run of the demo's."""
NOTES = (
    "An engine measured at one size alone has no fixed seconds. A serial share of 100 % means that the target kept one "
    "core busy and no more. Trees take no longer beyond `trees.max_rows` validation rows."
)


def markdown(rates: Rates) -> str:
    """The page's tables."""
    whole, spark = rates.lines("duckdb"), rates.lines("spark")
    duckdb = {name: whole[name] for name in spark}
    sections = [
        _grid("Hours of a whole run on one machine, the demo's encoder and networks", whole, MACHINE_CORES),
        _grid("Hours of its ingest and interactions stages", duckdb, MACHINE_CORES),
        _grid("Hours of the same two stages on Spark, cores of all workers", spark, SPARK_CORES),
        [_cheaper(duckdb, spark)],
        _targets(whole, spark),
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


def _grid(title: str, lines: Mapping[str, Line], cores: Sequence[int]) -> list[str]:
    rows = ([f"{rows:,}", *(f"{run_hours(lines, rows, n):,.2f}" for n in cores)] for rows in SIZES)
    return _table(title, ["rows", *(f"{n:,} cores" for n in cores)], rows, texts=0)


def _targets(whole: Mapping[str, Line], spark: Mapping[str, Line]) -> list[str]:
    """Each target at CHALLENGE_ROWS; on Spark those that it makes."""
    rows = []
    for name, line in whole.items():
        cells = [f"{run_hours({name: line}, CHALLENGE_ROWS, cores):.2f}" for cores in MACHINE_CORES[:2]]
        own = {name: spark[name]} if name in spark else {}
        cells += [f"{run_hours(own, CHALLENGE_ROWS, cores):.2f}" if own else "" for cores in SPARK_CORES[1:3]]
        rows.append([name, f"{run_cpu_seconds({name: line}, CHALLENGE_ROWS) / 3600:.1f}", *cells])
    machines = [f"{cores} cores" for cores in MACHINE_CORES[:2]] + [f"Spark, {cores}" for cores in SPARK_CORES[1:3]]
    return _table(f"Hours of each target for {CHALLENGE_ROWS:,} rows", ["target", "CPU hours", *machines], rows)


def _cheaper(duckdb: Mapping[str, Line], spark: Mapping[str, Line]) -> str:
    rows = SIZES[-1]
    ratio = run_cpu_seconds(spark, rows) / run_cpu_seconds(duckdb, rows)
    return f"At {rows:,} rows Spark takes {ratio:.1f} times the CPU time of one machine."


def _space(rates: Rates) -> list[str]:
    rows, run = max(rates.runs["duckdb"].items())
    written = sum(target.disk_gb for target in run.values())
    parts = sum(run[name].disk_gb for name in run if name.endswith("tweets") or name == "tweet_parts")
    features = sum(run[name].disk_gb for name in run if name.endswith("features"))
    columns = {
        "text": rates.text_gb.get(rows, 0.0),
        "parts": parts,
        "features": features,
        "all the rest": written - parts - features,
    }
    sizes = ([f"{size:,}", *(f"{gb * size / rows:,.1f}" for gb in columns.values())] for size in SIZES)
    return _table("Disk, GB", ["rows", *columns], sizes, texts=0)


def _models(rates: Rates) -> list[str]:
    rows = (
        [title, f"{rates.stages[name]:,.0f}", *(f"{rates.core_hours(name, size):,.1f}" for size in SIZES)]
        for name, title in MODEL_STAGES.items()
    )
    return _table(
        "Core hours of models of the full size", ["stage", "rows/s per core", *(f"{size:,}" for size in SIZES)], rows
    )


def _measured(rates: Rates) -> list[str]:
    rows = []
    for engine, runs in rates.runs.items():
        for name, grown in rates.lines(engine).items():
            figures = f"{grown.fixed_wall:,.0f}", f"{1e6 * grown.cpu_a_row:,.1f}", f"{grown.serial:.0%}"
            peak = f"{runs[max(runs)][name].peak_mb:,}", f"{grown_mb(runs, name):,.0f}"
            rows.append([engine, name, *figures, *peak])
    columns = (
        "engine",
        "target",
        "fixed s",
        "CPU s a million rows",
        "serial share",
        "largest run's peak MB",
        "MB more a million rows",
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
