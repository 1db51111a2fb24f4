"""The training schedule: order of rows and learning rates, decided before the first step, from row counts alone.

A schedule is a list of stretches, each a buffer of rows: they are in memory together, shuffled, and cut into batches.
A stretch takes whole row groups of feature files, in an order drawn by the seed, until it would hold more than
BUFFER_ROWS, so memory is the same whatever the number and the size of the parts. If all rows of the parts that are
mixed fit, they are one stretch. What does not belong here: reading rows (buffer), or taking a step.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.errors import UserError
from engage_pipeline.model.network.rows import Rule, group_bounds, read_columns
from engage_pipeline.numerics.stray_days import in_window

WARMUP_SHARE = 0.05
BUFFER_ROWS, ROW_BYTES = 4 * ROW_GROUP_ROWS, 900
"""The most rows of a stretch, and about so many bytes of each: 0.4 GB; a row group with more rows is a stretch of its
own."""


@dataclass(frozen=True, order=True)
class RowRange:
    """The rows `start` … `stop` - 1 of a feature file, of which `rows` are trained on."""

    path: Path
    start: int
    stop: int
    rows: int


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


def day_by_day(paths: Sequence[Path], epochs: int, parts_at_once: int, seed: int) -> list[Stretch]:
    """Returns the reference's schedule: days in order, `epochs` passes over each, a new optimizer and a decay per day.

    Rows of stray days are left out: each such day would cost all later days a decay.
    """
    by_part = [_day_ranges(path) for path in paths]
    stretches = []
    for n_decays, day in enumerate(_days_in_window(by_part)):
        ranges = [part[day] for part in by_part if day in part]
        passes = epochs * _stretches(str(np.datetime64(day, "D")), ranges, parts_at_once, [seed, day], n_decays)
        stretches += [replace(passes[0], fresh_optimizer=True), *passes[1:]]
    return stretches


def shuffled(paths: Sequence[Path], epochs: int, parts_at_once: int, seed: int) -> list[Stretch]:
    """Returns a schedule of mixed days: each epoch has another order of parts and mixes `parts_at_once` of them."""
    parts = [[RowRange(path, low, high, high - low) for low, high in _groups_of(path)] for path in paths]
    stretches = []
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(parts))
        present = [parts[place] for place in order if parts[place]]
        stretches += _stretches(f"epoch {epoch + 1}", present, parts_at_once, [seed, epoch])
    return stretches


def repeated(name: str, path: Path, rule: Rule, epochs: int, seed: int) -> list[Stretch]:
    """Returns `epochs` passes over the validation rows of a file that `rule` chooses, with a decay after each.

    Reads the column `split`, one row group at a time.
    """
    with pq.ParquetFile(path) as file:
        chosen = [
            RowRange(path, low, high, int(np.count_nonzero(rule(_split_of(file, group)))))
            for group, (low, high) in enumerate(group_bounds(file.metadata))
        ]
    present = [one for one in chosen if one.rows]
    passes = [_stretches(f"{name} {n + 1}", [present], 1, [seed, n], n) for n in range(epochs) if present]
    return [stretch for one in passes for stretch in one]


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


def _stretches(
    name: str, parts: Sequence[Sequence[RowRange]], parts_at_once: int, seed: Sequence[int], n_decays: int = 0
) -> list[Stretch]:
    """Mixes the ranges of `parts_at_once` parts at a time, and cuts them into stretches."""
    return [
        Stretch(name, ranges, sum(one.rows for one in ranges), n_decays)
        for first in range(0, len(parts), parts_at_once)
        for ranges in _buffers([one for part in parts[first : first + parts_at_once] for one in part], [*seed, first])
    ]


def _buffers(ranges: Sequence[RowRange], seed: Sequence[int]) -> Iterator[tuple[RowRange, ...]]:
    """Yields ranges of at most BUFFER_ROWS together: all of them, or else as many as fit in an order drawn by `seed`.

    Those of a buffer are sorted: they are read file by file, and shuffled in memory.
    """
    if sum(one.rows for one in ranges) > BUFFER_ROWS:
        ranges = [ranges[place] for place in np.random.default_rng(list(seed)).permutation(len(ranges))]
    held: list[RowRange] = []
    for one in ranges:
        if held and sum(other.rows for other in held) + one.rows > BUFFER_ROWS:
            yield tuple(sorted(held))
            held = []
        held.append(one)
    yield tuple(sorted(held))


def _day_ranges(path: Path) -> dict[int, list[RowRange]]:
    """Returns the ranges of each engagement day's rows in a feature file, one for each row group that holds some.

    Raises UserError if the days don't rise.
    """
    days = read_columns(path, [schema.ENGAGEMENT_DAY])[schema.ENGAGEMENT_DAY]
    if (np.diff(days) < 0).any():
        raise UserError(f"{path}: not in order of {schema.ENGAGEMENT_DAY}")
    found: dict[int, list[RowRange]] = {}
    for low, high in _groups_of(path):
        values, starts, counts = np.unique(days[low:high], return_index=True, return_counts=True)
        for day, start, count in zip(values.tolist(), (low + starts).tolist(), counts.tolist(), strict=True):
            found.setdefault(day, []).append(RowRange(path, start, start + count, count))
    return found


def _days_in_window(by_part: Sequence[Mapping[int, Sequence[RowRange]]]) -> list[int]:
    rows: Counter[int] = Counter()
    for ranges in by_part:
        rows.update({day: sum(one.rows for one in found) for day, found in ranges.items()})
    days = np.array(sorted(rows), np.int64)
    found: list[int] = days[in_window(days, np.array([rows[day] for day in days.tolist()]))].tolist()
    return found


def _groups_of(path: Path) -> list[tuple[int, int]]:
    return [(low, high) for low, high in group_bounds(pq.read_metadata(path)) if low < high]


def _split_of(file: pq.ParquetFile, group: int) -> np.ndarray:
    values: np.ndarray = file.read_row_group(group, columns=[schema.SPLIT])[schema.SPLIT].to_numpy()
    return values
