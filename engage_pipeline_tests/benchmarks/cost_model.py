"""How the time of a run grows with rows and cores: what the measured runs say of those that nobody measured.

A target takes `fixed + cpu_a_row rows (serial + (1 - serial) / cores)` seconds: Amdahl's law, where the serial share is
what kept the measured run from using all its threads, `wall = cpu (serial + (1 - serial) / threads)`. Of an engine with
runs of two sizes, what lies between them tells the row, and the rest is the fixed part, which no core shortens; of an
engine with one run nothing is fixed.

Features are looked up for as many rows at once as memory holds, and each time all counters of the window are read: that
grows with the product of both, `reading rows ceil(rows / at once)`. What does not belong here: where the measured runs
stand (rates), and the page of what is reckoned (scale).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engage_pipeline.interactions.features.pieces import Sizes

from engage_pipeline.settings.computing import TreeSettings
from engage_pipeline.settings.settings import settings_from
from engage_pipeline_tests.benchmarks.beyond_memory import TARGETS

FEATURES = "interaction_features"
SCORED_SHARE = 12 / 76
"""Validation rows, and test rows, for one training row in a synthetic world."""
MOST_TREE_ROWS = TreeSettings().max_rows


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
        return {name: line_through(self.runs[engine], name, self.reading[engine]) for name in TARGETS}

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


def line_through(runs: Mapping[int, Run], target: str, reading: float = 0.0) -> Line:
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
