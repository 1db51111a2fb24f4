"""Counts the rows of a window by key.

The folder of a window holds:
    languages.parquet                     language, rows; the most frequent first
    days.parquet (training)               engagement_day, rows, counts
    <side>_rows-<part>-<run>.arrow        narrow rows of each training part, by viewer and by author (shards.files)
    <scope><key>-<number>.arrow           the counts by key (counters.tables)
    parts.json (training)                 the parts that were counted
The counts are like, reply, retweet, retweet_with_comment, negative (rows without any engagement) and exposures (all
rows), int32.

The training window has one scope, without a prefix. The validation window has `finetune_`, the fine-tuning rows, for
the features of training and holdout rows; `labelled_`, all rows, for those of test rows; and `chunk_<n>_`, the rows of
each chunk, which the features of that chunk leave out of `finetune_`. What does not belong here: looking up counts
(counters.tables), and leaving out a training row's own day (shards.leaving_out).
"""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.files.parquet import footer_mark
from engage_pipeline.interactions.counters.tables import table_path
from engage_pipeline.interactions.shards.counting import NESTED_SCHEMA, CollisionError, count_shard, side_schema
from engage_pipeline.interactions.shards.files import Runs, rows_schema, run_paths, shard_bounds, write_runs
from engage_pipeline.interactions.shards.grouping import COUNTS
from engage_pipeline.interactions.shards.rows import NEGATIVE, Names, NarrowRows
from engage_pipeline.interactions.shards.sides import Side, sides_of
from engage_pipeline.machine.spill import PIECES_PREFIX, spill_folder
from engage_pipeline.progress import progress
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS, HOLDOUT, SPLIT
from engage_pipeline.settings.families import COUNTER_FAMILIES, TRAINING, VALIDATION, counted_keys
from engage_pipeline.settings.settings import Settings

TRAINING_SCOPE = ""
FINETUNE_SCOPE = "finetune_"
LABELLED_SCOPE = "labelled_"
LANGUAGES, DAYS, PARTS = "languages.parquet", "days.parquet", "parts.json"
CHUNK_SCOPES = "chunk_n_"
"""The name of the scopes of all chunks."""
SHARDS_A_FILE = 16
Chosen = Callable[[npt.NDArray[np.int32]], npt.NDArray[np.bool_]]
"""Which rows a scope counts, by their folds."""


def chunk_scope(chunk: int) -> str:
    """Returns the scope of the rows of a chunk of the validation window."""
    return f"chunk_{chunk}_"


def rows_table(side: str) -> str:
    """Returns the name of the narrow rows of a side."""
    return f"{side}_rows"


def run_prefix(part: int) -> str:
    """Returns the prefix of the files of narrow rows of the part at this place in parts.json."""
    return f"{part:05}"


def count_tables(*, validation: bool) -> pa.Schema:
    """Returns the columns of all tables of a window with every family on, each named `<table>.<column>`."""
    sides = sides_of(counted_keys(VALIDATION if validation else TRAINING, COUNTER_FAMILIES))
    tables = {"languages": pa.schema([("language", pa.string()), ("rows", pa.int64())])}
    for scope in (FINETUNE_SCOPE, LABELLED_SCOPE, CHUNK_SCOPES) if validation else (TRAINING_SCOPE,):
        for side in sides:
            tables[f"{scope}{side.name}"] = side_schema(side)
            tables |= {f"{scope}{key.name}": NESTED_SCHEMA for key in side.nested}
    if not validation:
        tables |= {rows_table(side.name): rows_schema(side) for side in sides}
        tables["days"] = pa.schema(
            [(ENGAGEMENT_DAY, pa.int32()), *((name, pa.int64()) for name in ("rows", *ENGAGEMENTS, "negative"))]
        )
    return pa.schema([(f"{table}.{field.name}", field.type) for table, fields in tables.items() for field in fields])


def count_training(tweets: Sequence[Path], output: Path, settings: Settings) -> dict[str, Any]:
    """Counts the training rows of the Parquet files `tweets` (schema.tweet_schema) into the folder `output`.

    Returns figures: the rows of each table, and `rows` and the positives of each engagement in the window.
    """
    sides = sides_of(counted_keys(TRAINING, settings.features.counters))
    seen = _Seen()
    _distribute(tweets, output, sides, ENGAGEMENT_DAY, seen)
    marks = [footer_mark(path) for path in tweets]
    (output / PARTS).write_text(json.dumps(marks), encoding="utf-8")
    facts = _count(output, output, sides, {TRAINING_SCOPE: None})
    seen.write_days(output / DAYS)
    return facts | seen.write_languages(output / LANGUAGES) | seen.figures()


def count_validation(tweets: Sequence[Path], output: Path, settings: Settings) -> dict[str, Any]:
    """Counts the validation rows of the Parquet files `tweets` (schema.tweet_schema and SPLIT) into `output`.

    Returns figures: the rows of each table, and `rows` and the positives of each engagement of all labelled rows.
    """
    sides = sides_of(counted_keys(VALIDATION, settings.features.counters))
    seen = _Seen()
    with atomic.scratch_folder(spill_folder(settings), PIECES_PREFIX) as scratch:
        _distribute(tweets, scratch, sides, SPLIT, seen)
        scopes: dict[str, Chosen | None] = {FINETUNE_SCOPE: lambda folds: folds != HOLDOUT, LABELLED_SCOPE: None}
        for chunk in sorted(seen.folds - {HOLDOUT}):
            scopes[chunk_scope(chunk)] = lambda folds, chunk=chunk: folds == chunk
        facts = _count(scratch, output, sides, scopes)
    return facts | seen.write_languages(output / LANGUAGES) | seen.figures()


class _Seen:
    """What is known of a window once its rows were read: rows by language, and rows and engagements by fold."""

    def __init__(self) -> None:
        self.names = Names()
        self._by_fold: dict[int, npt.NDArray[np.int64]] = {}

    @property
    def folds(self) -> set[int]:
        """All folds."""
        return set(self._by_fold)

    def add(self, rows: NarrowRows) -> None:
        """Adds the rows of a row group."""
        folds, places = np.unique(rows.folds, return_inverse=True)
        flags = [rows.labels >> bit & 1 for bit in range(len(ENGAGEMENTS))]
        counts = [np.bincount(places, flag, len(folds)) for flag in (*flags, rows.labels == NEGATIVE)]
        counts.append(np.bincount(places, minlength=len(folds)))
        for fold, added in zip(folds.tolist(), np.array(counts).T.astype(np.int64), strict=True):
            self._by_fold[fold] = self._by_fold.get(fold, np.zeros(len(COUNTS), np.int64)) + added

    def figures(self) -> dict[str, int]:
        """Returns rows and positives of the window."""
        total = sum(self._by_fold.values(), np.zeros(len(COUNTS), np.int64)).tolist()
        found = dict(zip(COUNTS, total, strict=True))
        return {"rows": found.pop("exposures"), **found}

    def write_days(self, path: Path) -> None:
        """Writes rows and engagements of each fold, by day."""
        days = sorted(self._by_fold)
        counts = np.array([self._by_fold[day] for day in days], np.int64).reshape(-1, len(COUNTS))
        columns = {ENGAGEMENT_DAY: pa.array(days, pa.int32()), "rows": counts[:, COUNTS.index("exposures")]}
        columns |= {name: counts[:, place] for place, name in enumerate(COUNTS) if name != "exposures"}
        pq.write_table(pa.table(columns), path, compression="zstd")

    def write_languages(self, path: Path) -> dict[str, int]:
        """Writes the languages, the most frequent first, ties by name; returns their number."""
        rows = self.names.rows.get("language", {})
        ordered = sorted(rows.items(), key=lambda pair: (-pair[1], pair[0].encode()))
        table = {"language": pa.array([name for name, _ in ordered], pa.string()), "rows": pa.array([n for _, n in ordered], pa.int64())}
        pq.write_table(pa.table(table), path, compression="zstd")
        return {path.stem: len(ordered)}


def _distribute(tweets: Sequence[Path], folder: Path, sides: Sequence[Side], fold: str, seen: _Seen) -> None:
    """Writes the narrow rows of all parts to `folder`."""
    total = sum(pq.read_metadata(path).num_rows for path in tweets)
    with progress("narrow_rows", total, "rows") as done:
        for part, path in enumerate(tweets):
            for rows in write_runs(path, folder, run_prefix(part), sides, fold, seen.names):
                seen.add(rows)
                done.advance(len(rows))


def _count(
    narrow: Path, output: Path, sides: Sequence[Side], scopes: dict[str, Chosen | None]
) -> dict[str, int]:
    """Counts the narrow rows in the folder `narrow` for each scope; returns the rows of each table."""
    facts: dict[str, int] = {}
    for side in sides:
        runs = Runs.open(run_paths(narrow, side, "*"), side)
        bounds = shard_bounds(len(runs))
        for number, start in enumerate(range(0, len(bounds), SHARDS_A_FILE)):
            found = _count_shards(runs, bounds[start : start + SHARDS_A_FILE], output, number, scopes)
            for name, rows in found.items():
                facts[name] = facts.get(name, 0) + rows
    return facts


def _count_shards(
    runs: Runs, bounds: Sequence[tuple[int, int]], output: Path, number: int, scopes: dict[str, Chosen | None]
) -> dict[str, int]:
    """Counts neighbouring shards of a side into one file for each table; returns their rows."""
    side, facts = runs.side, {}
    tables = {side.name: side_schema(side), **{key.name: NESTED_SCHEMA for key in side.nested}}
    with ExitStack() as stack:
        writers = {
            (scope, key): stack.enter_context(pa.ipc.new_file(str(table_path(output, scope, key, number)), schema))
            for scope in scopes
            for key, schema in tables.items()
        }
        for low, high in bounds:
            rows = runs.shard(low, high)
            for scope, chosen in scopes.items():
                some = rows if chosen is None else rows.take(np.flatnonzero(chosen(rows.folds)))
                try:
                    found = count_shard(some, side, runs.names)
                except CollisionError:
                    raise UserError(f"two values of {side.column} have the same fingerprint: they can't be told apart") from None
                for key, batch in found.items():
                    writers[scope, key].write_batch(batch)
                    facts[f"{scope}{key}"] = facts.get(f"{scope}{key}", 0) + len(batch)
    return facts
