"""How the time of a run grows with rows and cores: what the measured runs say of those that nobody measured.

A target takes `fixed + cpu_a_row rows (serial + (1 - serial) / cores)` seconds: Amdahl's law, where the serial share is
what kept the measured run from using all its threads, `wall = cpu (serial + (1 - serial) / threads)`. Of an engine with
runs of two sizes, what lies between them tells the row, and the rest is the fixed part, which no core shortens; of an
engine with one run nothing is fixed.

What does not belong here: where the measured runs stand (rates), and the page of what is computed (scale).
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from engage_pipeline.settings.computing import TreeSettings

SCORED_SHARE = 12 / 76
"""Validation rows, and test rows, for one training row in a synthetic world."""
MOST_TREE_ROWS = TreeSettings().max_rows
MOST_ROWS = {"engagement_trees": (MOST_TREE_ROWS or sys.maxsize) / SCORED_SHARE}
"""Training rows beyond which a target takes no longer, by its name."""


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

    def lines(self, engine: str) -> dict[str, "Line"]:
        """Of each target that its runs made."""
        return {name: line_through(self.runs[engine], name) for name in self.runs[engine][max(self.runs[engine])]}

    def core_hours(self, stage: str, rows: int) -> float:
        """Of one of MODEL_STAGES, for so many training rows."""
        work = {
            "token_sketches_768": self.tweets_a_row * rows,
            "predict_1500": SCORED_SHARE * rows,
        }
        return work.get(stage, rows) / self.stages[stage] / 3600


@dataclass(frozen=True)
class Line:
    """How a target grows: wall and CPU seconds that it takes at all, CPU seconds a row, and their serial share.

    `rows` are those of the largest run.
    """

    fixed_wall: float
    fixed_cpu: float
    cpu_a_row: float
    serial: float
    rows: int

    def hours(self, rows: int, cores: int) -> float:
        """Wall time."""
        shared = self.cpu_a_row * rows * (self.serial + (1 - self.serial) / cores)
        return (self.fixed_wall + shared) / 3600

    def cpu_seconds(self, rows: int) -> float:
        """Of all cores."""
        return self.fixed_cpu + self.cpu_a_row * rows


def line_through(runs: Mapping[int, Run], target: str) -> Line:
    """Through the smallest and the largest run; through zero and the run where there is one."""
    few, many = min(runs), max(runs)
    small, large = runs[few][target], runs[many][target]
    if few == many:
        return Line(0, 0, large.cpu / many, _serial(large.cpu, large.wall, large.threads), many)
    cpu, wall = large.cpu - small.cpu, large.wall - small.wall
    if cpu <= 0:
        return Line(large.wall, large.cpu, 0, 0, many)
    serial = _serial(cpu, wall, large.threads)
    grown = many / (many - few)
    fixed = max(large.wall - wall * grown, 0), max(large.cpu - cpu * grown, 0)
    return Line(*fixed, cpu / (many - few), serial, many)


def _serial(cpu: float, wall: float, threads: int) -> float:
    """The share of Amdahl's law, between 0 and 1."""
    return 1.0 if threads == 1 else min(max((threads * wall / cpu - 1) / (threads - 1), 0.0), 1.0)


def run_hours(lines: Mapping[str, Line], rows: int, cores: int) -> float:
    """All targets one after the other."""
    return sum(line.hours(_worked_on(name, rows), cores) for name, line in lines.items())


def run_cpu_seconds(lines: Mapping[str, Line], rows: int) -> float:
    """Of all targets."""
    return sum(line.cpu_seconds(_worked_on(name, rows)) for name, line in lines.items())


def _worked_on(target: str, rows: int) -> int:
    """Rows that a target works on."""
    return round(min(rows, MOST_ROWS.get(target, rows)))


def grown_mb(runs: Mapping[int, Run], target: str) -> float:
    """MB that the peak of a target rose by for each million rows, between the two largest runs; 0 of one run."""
    *_, few, many = [0, *sorted(runs)]
    if not few:
        return 0.0
    return (runs[many][target].peak_mb - runs[few][target].peak_mb) / (many - few) * 1e6
