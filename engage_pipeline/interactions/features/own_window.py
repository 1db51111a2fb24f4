"""The training window's counts of training rows, without their own day: shard by shard, and back to the parts.

What does not belong here: the work on a shard (shards.leaving_out, shards.similar).
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from engage_pipeline.engines.tasks import map_items
from engage_pipeline.files import atomic
from engage_pipeline.files.parquet import group_ends
from engage_pipeline.interactions.counters.counting import PARTS, distribute, run_prefix
from engage_pipeline.interactions.features.windows import Columns, Windows, counter_family
from engage_pipeline.interactions.graphs.edges import SCORE_UNITS, Edges
from engage_pipeline.interactions.shards.files import Run, Runs, ShardGroup, SideRows, run_paths, shard_groups
from engage_pipeline.interactions.shards.grouping import COUNTS
from engage_pipeline.interactions.shards.leaving_out import Counted, Shard
from engage_pipeline.interactions.shards.sides import Side
from engage_pipeline.interactions.shards.similar import Scored, similar_engagements
from engage_pipeline.interactions.shards.way_back import Back, BackReader, BackWriter
from engage_pipeline.machine.shares import memory_bytes
from engage_pipeline.machine.spill import SHARDS_PREFIX, spill_folder
from engage_pipeline.numerics.sorting import argsort
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS
from engage_pipeline.settings.families import SIMILAR, TRAINING
from engage_pipeline.settings.settings import Settings

FEATURE_COUNTS = (*ENGAGEMENTS, "exposures")
"""The counts of COUNTS that are features."""
_PICKED = [COUNTS.index(name) for name in FEATURE_COUNTS]
_NOT_ASKED = -1
_ASKED = "asked-"
_HELD_SHARE, _MOST_HELD = 16, 128 << 20
"""Share of the memory, and most bytes, of counters that are held before they go back."""
OwnColumns = Callable[[int, int], Columns]
"""Returns the columns of a row group, given its number and its rows."""


@contextmanager
def counted_shards(parts: Sequence[Path], windows: Windows, settings: Settings) -> Iterator[Path]:
    """Works on all shards for the rows of the Parquet files `parts`; yields the folder that own_columns reads.

    The folder is removed at the end.
    """
    counted = windows.folders["training_counts"]
    with atomic.scratch_folder(spill_folder(settings), SHARDS_PREFIX) as folder:
        marks = [atomic.known_sha256(path) for path in parts]
        known = json.loads((counted / PARTS).read_text(encoding="utf-8"))
        new = [path for path, mark in zip(parts, marks, strict=True) if mark not in known]
        distribute(new, folder, windows.sides[TRAINING], ENGAGEMENT_DAY, settings, _ASKED)
        asked = [marks.index(mark) if mark in marks else _NOT_ASKED for mark in known]
        files = _Files(counted, asked, folder, [parts.index(path) for path in new])
        ends = [group_ends(pq.read_metadata(path)) for path in parts]
        items = [
            _Shards(files, side, group, ends)
            for side in windows.sides[TRAINING]
            for group in shard_groups(len(files.runs(side)))
        ]
        work = partial(_work, windows.folders["similarity"], windows.families)
        map_items("shards", work, items, settings, [item.group.rows for item in items])
        yield folder


def own_columns(folder: Path, part: int, windows: Windows) -> OwnColumns:
    """Returns the function that reads the columns of a part from the folder of counted_shards."""
    readers = []
    for side in windows.sides[TRAINING]:
        keys = [key.name for key in (side.own, *side.nested)]
        paths = sorted(folder.glob(f"{_back(side)}-[0-9]*.arrow"))
        readers.append((keys, BackReader(paths, part, len(keys) * len(FEATURE_COUNTS))))

    def read(group: int, rows: int) -> Columns:
        columns: Columns = {}
        for keys, reader in readers:
            counters, scores = reader.group(group, rows)
            for place, key in enumerate(keys):
                if counter_family(key) in windows.families:
                    first = place * len(FEATURE_COUNTS)
                    columns |= {f"{key}_{name}": counters[first + i] for i, name in enumerate(FEATURE_COUNTS)}
            if SIMILAR.counts in keys:
                columns |= {f"{SIMILAR.name}_{name}": scores[i] / SCORE_UNITS for i, name in enumerate(ENGAGEMENTS)}
        return columns

    return read


@dataclass(frozen=True)
class _Files:
    """The narrow rows of a window, in the folder `counted`, and of parts that were not counted, in `folder`.

    `asked` is the index of each counted part among the parts that ask, or _NOT_ASKED; `new` those of the others.
    """

    counted: Path
    asked: Sequence[int]
    folder: Path
    new: Sequence[int]

    def runs(self, side: Side) -> Runs:
        """Opens the files of a side."""
        return Runs([run for run, _ in self._of(side)], side)

    def asking(self, side: Side) -> npt.NDArray[np.int32]:
        """Returns the index of the part that each file's rows ask for, int32 [files], or _NOT_ASKED."""
        return np.array([part for _, part in self._of(side)], np.int32)

    def _of(self, side: Side) -> Iterator[tuple[Run, int]]:
        for place, part in enumerate(self.asked):
            for path in run_paths(self.counted, side, run_prefix(place)):
                yield Run(path, side), part
        for place, part in enumerate(self.new):
            for path in run_paths(self.folder, side, f"{_ASKED}{run_prefix(place)}"):
                yield Run(path, side, counted=False), part


@dataclass(frozen=True)
class _Shards:
    """Neighbouring shards of a side; `ends` are the ends of the row groups of each part that asks."""

    files: _Files
    side: Side
    group: ShardGroup
    ends: Sequence[npt.NDArray[np.int64]]


def _back(side: Side) -> str:
    return f"back-{side.name}"


def _work(similarity: Path, families: Collection[str], settings: Settings, shards: _Shards) -> None:
    """Writes the counts of the asking rows of shards."""
    runs, asking = shards.files.runs(shards.side), shards.files.asking(shards.side)
    scores = counter_family(SIMILAR.name) in families and any(key.name == SIMILAR.counts for key in shards.side.nested)
    edges = Edges.open(similarity) if scores else None
    held = min(memory_bytes(settings.engine.memory_limit) // _HELD_SHARE, _MOST_HELD)
    name = f"{_back(shards.side)}-{shards.group.number:04}"
    with BackWriter(shards.files.folder, name, shards.ends, held) as writer:
        for low, high in shards.group.bounds:
            rows = _of_asking_ids(runs.shard(low, high), asking)
            if len(rows):
                writer.add(_counts_of_shard(rows, asking, runs, edges))


def _of_asking_ids(rows: SideRows, asking: npt.NDArray[np.int32]) -> SideRows:
    """Returns the rows of ids that an asking row has."""
    ours = asking[rows.sources] != _NOT_ASKED
    if ours.all():
        return rows
    ids = np.unique(rows.hashes[ours])
    places = np.searchsorted(ids, rows.hashes)
    return rows.take(np.flatnonzero(np.append(ids, np.uint64(0))[places] == rows.hashes))


def _counts_of_shard(rows: SideRows, asking: npt.NDArray[np.int32], runs: Runs, edges: Edges | None) -> Back:
    """Returns the counts of the asking rows, which are ordered by part and place."""
    shard = Shard.of(rows)
    counts = shard.counts(runs.side, {column: len(names) for column, names in runs.names.items()})
    parts = asking[shard.rows.sources]
    ours = np.flatnonzero(parts != _NOT_ASKED)
    ours = ours[argsort(parts[ours].astype(np.uint64) << np.uint64(32) | shard.rows.places[ours])]
    scored = _similar(shard, runs.side, edges)
    number = np.full(len(parts), _NOT_ASKED)
    number[ours] = np.arange(len(ours))
    found = number[scored.rows]
    by_place = np.argsort(found)[np.count_nonzero(found == _NOT_ASKED) :]
    return Back(
        parts[ours],
        shard.rows.places[ours],
        _picked(counts, ours),
        found[by_place],
        scored.values[:, by_place],
    )


def _picked(counts: Mapping[str, Counted], rows: npt.NDArray[np.int64]) -> Counted:
    """Returns FEATURE_COUNTS of every key of `rows` [n], [keys * FEATURE_COUNTS, n], in 16 bits if that is enough."""
    picked = [each[_PICKED] for each in counts.values()]
    kind = np.uint16 if all(int(each.max(initial=0)) < 1 << 16 for each in picked) else np.uint32
    found = np.empty((len(picked), len(FEATURE_COUNTS), len(rows)), kind)
    for each, target in zip(picked, found, strict=True):
        # Without clipping, which nothing needs, numpy would make a copy first.
        each.astype(kind, copy=False).take(rows, 1, target, "clip")
    return found.reshape(-1, len(rows))


def _similar(shard: Shard, side: Side, edges: Edges | None) -> Scored:
    if edges is None:
        return Scored(np.zeros(0, np.int64), np.zeros((len(ENGAGEMENTS), 0), np.int64))
    pair = next(key for key in side.nested if key.name == SIMILAR.counts)
    return similar_engagements(shard, shard.pairs(pair), edges)
