"""What is trained on when, and at which learning rate: decided before the first step, from row counts alone.

A schedule is a list of stretches. A stretch's rows are in memory together, are shuffled among themselves and cut into
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
    """How often the learning rate has decayed before."""
    fresh_optimizer: bool = False
    """Whether the optimizer starts anew here."""

    def n_batches(self, batch_size: int) -> int:
        """How many steps a pass takes."""
        return math.ceil(self.rows / batch_size)

    def batches(self, batch_size: int, seed: Sequence[int]) -> list[np.ndarray]:
        """Positions of the rows of each batch, shuffled: at most `batch_size` in each, in sizes as even as can be."""
        order = np.random.default_rng(list(seed)).permutation(self.rows)
        return np.array_split(order, self.n_batches(batch_size))


def day_ranges(path: Path) -> dict[int, RowRange]:
    """Where each engagement day's rows lie in a feature file, by day. Raises UserError if the days don't rise."""
    days = read_columns(path, [schema.ENGAGEMENT_DAY])[schema.ENGAGEMENT_DAY]
    if (np.diff(days) < 0).any():
        raise UserError(f"{path}: not in order of {schema.ENGAGEMENT_DAY}")
    values, starts, counts = np.unique(days, return_index=True, return_counts=True)
    return {
        int(day): RowRange(path, int(start), int(start + count))
        for day, start, count in zip(values, starts, counts, strict=True)
    }


def day_by_day(paths: Sequence[Path], epochs: int, parts_at_once: int) -> list[Stretch]:
    """The reference's schedule: the days in order, `epochs` passes over each, an optimizer and a decay for each day.

    Rows of stray days are left out: each such day would take a decay from all days behind it.
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
    """All days mixed: every epoch passes over the parts in another order, `parts_at_once` of them mixed together."""
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
    """Passes over rows that are in memory already, with a decay after each."""
    return [Stretch(f"{name} {epoch + 1}", (), rows, n_decays=epoch) for epoch in range(epochs) if rows]


def decaying(rate: float, decay: float) -> Callable[[int, Stretch], float]:
    """`rate`, times `decay` as often as the stretch says."""
    return lambda step, stretch: rate * decay**stretch.n_decays


def cosine(rate: float, n_steps: int) -> Callable[[int, Stretch], float]:
    """Rises linearly to `rate` over the first 5 % of the steps, then falls to 0 along half a cosine."""
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
