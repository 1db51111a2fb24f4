"""The training window's counts of training rows, without their own day: shard by shard, and back to the parts.

What does not belong here: the work on a shard (shards.leaving_out, shards.similar).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from engage_pipeline.files import atomic
from engage_pipeline.files.parquet import footer_mark
from engage_pipeline.interactions.counters.counting import PARTS, run_prefix
from engage_pipeline.interactions.features.windows import Columns, Windows, counter_family
from engage_pipeline.interactions.graphs.edges import SCORE_UNITS
from engage_pipeline.interactions.shards.files import Run, Runs, SideRows, run_paths, shard_bounds, write_runs
from engage_pipeline.interactions.shards.grouping import COUNTS, NOT_COUNTED
from engage_pipeline.interactions.shards.leaving_out import Shard
from engage_pipeline.interactions.shards.rows import Names
from engage_pipeline.interactions.shards.sides import Side
from engage_pipeline.interactions.shards.similar import Scored, similar_engagements
from engage_pipeline.interactions.shards.way_back import Back, BackReader, BackWriter
from engage_pipeline.machine.spill import PIECES_PREFIX, spill_folder
from engage_pipeline.progress import progress
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS
from engage_pipeline.settings.families import SIMILAR, TRAINING
from engage_pipeline.settings.settings import Settings

FEATURE_COUNTS = (*ENGAGEMENTS, "exposures")
"""The counts of COUNTS that are features."""
_PICKED = [COUNTS.index(name) for name in FEATURE_COUNTS]
_NOT_ASKED = -1


@dataclass(frozen=True)
class OwnWindow:
    """The counts of parts, in a folder of chunks (shards.way_back)."""

    folder: Path
    windows: Windows

    @classmethod
    @contextmanager
    def of(cls, parts: Sequence[Path], windows: Windows, settings: Settings) -> Iterator["OwnWindow"]:
        """Works on the shards of the window's rows for the Parquet files `parts`; removes the folder at the end."""
        with atomic.scratch_folder(spill_folder(settings), PIECES_PREFIX) as folder:
            counted = windows.folders["training_counts"]
            ends = [_group_ends(path) for path in parts]
            for side in windows.sides[TRAINING]:
                runs, asked = _runs(parts, counted, side, folder)
                _work(runs, asked, ends, windows, folder)
            yield cls(folder, windows)

    def reader(self, part: int) -> Callable[[int, int], Columns]:
        """Returns a function of row group and rows that reads the columns of a part."""
        readers = []
        for side in self.windows.sides[TRAINING]:
            keys = [key.name for key in (side.own, *side.nested)]
            paths = sorted(self.folder.glob(f"back-{side.name}-*.arrow"))
            readers.append((keys, BackReader(paths, part, len(keys) * len(FEATURE_COUNTS))))

        def read(group: int, rows: int) -> Columns:
            columns: Columns = {}
            for keys, reader in readers:
                counters, scores = reader.group(group, rows)
                names = [f"{key}_{count}" for key in keys for count in FEATURE_COUNTS]
                columns |= dict(zip(names, counters, strict=True))
                if SIMILAR.counts in keys:
                    columns |= {
                        f"{SIMILAR.name}_{name}": each / SCORE_UNITS
                        for name, each in zip(ENGAGEMENTS, scores, strict=True)
                    }
            return self._of_families(columns)

        return read

    def _of_families(self, columns: Columns) -> Columns:
        """Returns the columns of the families that are on."""
        return {
            name: column
            for name, column in columns.items()
            if counter_family(_key_of(name)) in self.windows.families
        }


def _key_of(column: str) -> str:
    return next(column.removesuffix(f"_{count}") for count in sorted(FEATURE_COUNTS, key=len, reverse=True) if column.endswith(f"_{count}"))


def _group_ends(path: Path) -> npt.NDArray[np.int64]:
    metadata = pq.read_metadata(path)
    return np.cumsum([metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)], dtype=np.int64)


def _runs(parts: Sequence[Path], counted: Path, side: Side, folder: Path) -> tuple[Runs, npt.NDArray[np.int32]]:
    """Returns the files of narrow rows, and the index in `parts` of the rows of each, or _NOT_ASKED.

    Rows of a part that was not counted ask for counts and add nothing.
    """
    marks = {footer_mark(path): index for index, path in enumerate(parts)}
    runs: list[Run] = []
    asked: list[int] = []
    for place, mark in enumerate(json.loads((counted / PARTS).read_text(encoding="utf-8"))):
        for path in run_paths(counted, side, run_prefix(place)):
            runs.append(Run(path, side))
            asked.append(marks.get(mark, _NOT_ASKED))
    for index in set(range(len(parts))) - set(asked):
        for _ in write_runs(parts[index], folder, f"asked{run_prefix(index)}", [side], ENGAGEMENT_DAY, Names()):
            pass
        for path in run_paths(folder, side, f"asked{run_prefix(index)}"):
            runs.append(Run(path, side, counted=False))
            asked.append(index)
    return Runs(runs, side), np.array(asked, np.int32)


def _work(
    runs: Runs, asked: npt.NDArray[np.int32], ends: Sequence[npt.NDArray[np.int64]], windows: Windows, folder: Path
) -> None:
    """Writes the counts of the asked rows of every shard of a side."""
    sizes = {column: len(names) for column, names in runs.names.items()}
    with progress(f"{runs.side.name}_shards", len(runs), "rows") as done, BackWriter(folder, f"back-{runs.side.name}", ends) as writer:
        for low, high in shard_bounds(len(runs)):
            rows = runs.shard(low, high)
            found = _counts_of_shard(_of_asked_ids(rows, asked), asked, runs.side, sizes, windows)
            if len(found.places):
                writer.add(found)
            done.advance(len(rows))


def _of_asked_ids(rows: SideRows, asked: npt.NDArray[np.int32]) -> SideRows:
    """Returns the rows of ids that an asked row has."""
    ours = asked[rows.sources] != _NOT_ASKED
    if ours.all():
        return rows
    ids = np.sort(rows.hashes[ours])
    if not len(ids):
        return rows.take(np.zeros(0, np.int64))
    found = ids[np.minimum(np.searchsorted(ids, rows.hashes), len(ids) - 1)] == rows.hashes
    return rows.take(np.flatnonzero(found))


def _counts_of_shard(
    rows: SideRows, asked: npt.NDArray[np.int32], side: Side, sizes: dict[str, int], windows: Windows
) -> Back:
    shard = Shard.of(rows)
    counts = shard.counts(side, sizes)
    parts = asked[shard.rows.sources]
    ours = np.flatnonzero(parts != _NOT_ASKED)
    picked = [each[_PICKED][:, ours] if len(ours) < len(parts) else each[_PICKED] for each in counts.values()]
    kind = np.result_type(*(each.dtype for each in picked))
    if kind != np.uint16 and max(int(each.max(initial=0)) for each in picked) < 1 << 16:
        kind = np.dtype(np.uint16)
    scored = _similar(shard, side, windows)
    inside = np.isin(scored.rows, ours)
    return Back(
        parts[ours],
        shard.rows.places[ours],
        np.concatenate([each.astype(kind, copy=False) for each in picked]),
        np.searchsorted(ours, scored.rows[inside]),
        scored.values[:, inside],
    )


def _similar(shard: Shard, side: Side, windows: Windows) -> Scored:
    pair = next((key for key in side.nested if key.name == SIMILAR.counts), None)
    if pair is None or counter_family(SIMILAR.name) not in windows.families or not len(shard.rows):
        return Scored(np.zeros(0, np.int64), np.zeros((len(ENGAGEMENTS), 0), np.int64))
    return similar_engagements(shard, shard.pairs(pair), windows.edges)
