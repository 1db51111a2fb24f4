"""What was measured, read from the page of measurements: the tables of `make bench` and of `whole_run`."""

import re
from collections.abc import Collection, Mapping, Sequence

from engage_pipeline_tests.benchmarks import report
from engage_pipeline_tests.benchmarks.cost_model import Rates, Run, Target
from engage_pipeline_tests.benchmarks.whole_run import HEADER, ON_SPARK, TARGETS

_RUN = re.compile(
    r"^### (?P<rows>[\d,]+) rows on (?P<engine>\w+), (?P<threads>\d+) threads, memory_limit (?P<limit>\S+)$"
)
_RUN_COLUMNS = HEADER.splitlines()[0].count("|") - 1
_STAGE_COLUMNS = report.HEADER[0].count("|") - 1
_TEXT = re.compile(r"^(?P<gb>[\d.]+) GB of text$")


def read_rates(page: str, models: Collection[str]) -> Rates:
    """The rates on the page, among them those of the stages `models`. Raises ValueError naming what the page lacks."""
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
    for engine, targets in (("duckdb", TARGETS), ("spark", ON_SPARK)):
        _check_runs(engine, targets, runs.get(engine, {}))
    if missing := {"ingest", "token_sketches", *models} - set(stages):
        raise ValueError(f"the table of stages lacks {min(missing)}")
    tweets_a_row = stages["token_sketches"][0] / stages["ingest"][0]
    rates = {name: rate for name, (_, rate) in stages.items()}
    return Rates(runs, rates, tweets_a_row, text)


def _target(cells: Sequence[str], threads: int) -> Target:
    cpu, wall, _, peak_mb, _, disk = cells
    return Target(_number(cpu), _number(wall), threads, _number(peak_mb), float(disk))


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _check_runs(engine: str, targets: Sequence[str], runs: Mapping[int, Run]) -> None:
    if not runs:
        raise ValueError(f"there is no table of a run on {engine}")
    for rows, run in runs.items():
        if missing := [name for name in targets if name not in run]:
            raise ValueError(f"the run of {rows:,} rows on {engine} lacks {missing[0]}")
