"""The training schedule: order of rows and learning rates, decided before the first step, from row counts alone.

A schedule is a list of stretches. The rows of a stretch are in memory together; they are shuffled and cut into
batches. What does not belong here: reading rows, or taking a step.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.network.rows import read_columns
from engage_pipeline.numerics.stray_days import in_window

WARMUP_SHARE = 0.05


@dataclass(frozen=True)
class RowRange:
    """The rows `start` … `stop` - 1 of a feature file."""

    path: Path
    start: int
    stop: int


@dataclass(frozen=True)
class Stretch:
    """Rows that are held and shuffled together, in one pass over them."""

    name: str
    ranges: tuple[RowRange, ...]
    rows: int
    n_decays: int = 0
    """How often the learning rate has decayed before this stretch."""
    fresh_optimizer: bool = False
    """Whether the optimizer starts anew here."""

    def n_batches(self, batch_size: int) -> int:
        """Returns the number of steps of a pass."""
        return math.ceil(self.rows / batch_size)

    def batches(self, batch_size: int, seed: Sequence[int]) -> list[np.ndarray]:
        """Returns shuffled row positions by batch: at most `batch_size` each, in sizes that differ by at most one."""
        order = np.random.default_rng(list(seed)).permutation(self.rows)
        return np.array_split(order, self.n_batches(batch_size))


def day_ranges(path: Path) -> dict[int, RowRange]:
    """Returns the range of each engagement day's rows in a feature file. Raises UserError if the days don't rise."""
    days = read_columns(path, [schema.ENGAGEMENT_DAY])[schema.ENGAGEMENT_DAY]
    if (np.diff(days) < 0).any():
        raise UserError(f"{path}: not in order of {schema.ENGAGEMENT_DAY}")
    values, starts, counts = np.unique(days, return_index=True, return_counts=True)
    return {
        int(day): RowRange(path, int(start), int(start + count))
        for day, start, count in zip(values, starts, counts, strict=True)
    }


def day_by_day(paths: Sequence[Path], epochs: int, parts_at_once: int) -> list[Stretch]:
    """Returns the reference's schedule: days in order, `epochs` passes over each, a new optimizer and a decay per day.

    Rows of stray days are left out: each such day would cost all later days a decay.
    """
    by_part = [day_ranges(path) for path in paths]
    stretches = []
    for n_decays, day in enumerate(_days_in_window(by_part)):
        ranges = [part[day] for part in by_part if day in part]
        name = str(np.datetime64(day, "D"))
        passes = epochs * _groups(name, ranges, parts_at_once, n_decays)
        stretches += [replace(passes[0], fresh_optimizer=True), *passes[1:]]
    return stretches


def _days_in_window(by_part: Sequence[Mapping[int, RowRange]]) -> list[int]:
    rows: Counter[int] = Counter()
    for ranges in by_part:
        rows.update({day: one.stop - one.start for day, one in ranges.items()})
    days = np.array(sorted(rows), np.int64)
    found: list[int] = days[in_window(days, np.array([rows[day] for day in days.tolist()]))].tolist()
    return found


def shuffled(paths: Sequence[Path], epochs: int, parts_at_once: int, seed: int) -> list[Stretch]:
    """Returns a schedule of mixed days: each epoch has another order of parts and shuffles `parts_at_once` together."""
    whole = [
        RowRange(path, 0, sum(r.stop - r.start for r in ranges.values()))
        for path, ranges in ((p, day_ranges(p)) for p in paths)
    ]
    stretches = []
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(whole))
        ranges = [whole[place] for place in order if whole[place].stop]
        stretches += _groups(f"epoch {epoch + 1}", ranges, parts_at_once)
    return stretches


def repeated(name: str, rows: int, epochs: int) -> list[Stretch]:
    """Returns `epochs` passes over rows that are already in memory, with a decay after each."""
    return [Stretch(f"{name} {epoch + 1}", (), rows, n_decays=epoch) for epoch in range(epochs) if rows]


def decaying(rate: float, decay: float) -> Callable[[int, Stretch], float]:
    """Returns a schedule of `rate` x `decay` ^ n_decays of the stretch."""
    return lambda step, stretch: rate * decay**stretch.n_decays


def cosine(rate: float, n_steps: int) -> Callable[[int, Stretch], float]:
    """Returns a schedule that rises linearly to `rate` over 5 % of the steps, then falls to 0 along half a cosine."""
    warmup = max(1, round(WARMUP_SHARE * n_steps))

    def at(step: int, stretch: Stretch) -> float:
        if step < warmup:
            return rate * (step + 1) / warmup
        return rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, n_steps - warmup)))

    return at


def _groups(name: str, ranges: Sequence[RowRange], parts_at_once: int, n_decays: int = 0) -> list[Stretch]:
    groups = [
        tuple(sorted(ranges[first : first + parts_at_once], key=str)) for first in range(0, len(ranges), parts_at_once)
    ]
    return [Stretch(name, group, sum(r.stop - r.start for r in group), n_decays) for group in groups]
