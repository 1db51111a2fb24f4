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
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.tasks import map_items
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.interactions.counters.tables import table_path
from engage_pipeline.interactions.shards.counting import NESTED_SCHEMA, CollisionError, count_shard, side_schema
from engage_pipeline.interactions.shards.files import (
    Runs,
    ShardGroup,
    SideRows,
    rows_schema,
    run_paths,
    shard_groups,
    write_runs,
)
from engage_pipeline.interactions.shards.grouping import COUNTS
from engage_pipeline.interactions.shards.rows import NEGATIVE, Names, NarrowRows
from engage_pipeline.interactions.shards.sides import Side, sides_of
from engage_pipeline.machine.spill import SHARDS_PREFIX, spill_folder
from engage_pipeline.numerics.sorting import unique_places
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS, HOLDOUT, SPLIT
from engage_pipeline.settings.families import COUNTER_FAMILIES, TRAINING, VALIDATION, counted_keys
from engage_pipeline.settings.settings import Settings

TRAINING_SCOPE = ""
FINETUNE_SCOPE = "finetune_"
LABELLED_SCOPE = "labelled_"
LANGUAGES, DAYS, PARTS = "languages.parquet", "days.parquet", "parts.json"
CHUNK_SCOPES = "chunk_n_"
"""The name of the scopes of all chunks."""


@dataclass(frozen=True)
class Scope:
    """A scope of a window: the prefix of its files, and the folds that it counts: `only` one, or all but `without`."""

    prefix: str
    only: int | None = None
    without: int | None = None

    def rows(self, rows: SideRows) -> SideRows:
        """Returns the rows that are counted."""
        if self.only is not None:
            return rows.take(np.flatnonzero(rows.folds == self.only))
        return rows if self.without is None else rows.take(np.flatnonzero(rows.folds != self.without))


def chunk_scope(chunk: int) -> str:
    """Returns the scope of the rows of a chunk of the validation window."""
    return f"chunk_{chunk}_"


def rows_table(side: str) -> str:
    """Returns the name of the narrow rows of a side."""
    return f"{side}_rows"


def read_by_prediction(files: Iterable[str]) -> list[str]:
    """Returns those of a window's files that the features of test rows are made of: narrow rows are not."""
    return [name for name in files if "_rows-" not in name]


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
    seen = distribute(tweets, output, sides, ENGAGEMENT_DAY, settings)
    (output / PARTS).write_text(json.dumps([atomic.known_sha256(path) for path in tweets]), encoding="utf-8")
    facts = _count(output, output, sides, [Scope(TRAINING_SCOPE)], settings)
    seen.write_days(output / DAYS)
    return facts | seen.write_languages(output / LANGUAGES) | seen.figures()


def count_validation(tweets: Sequence[Path], output: Path, settings: Settings) -> dict[str, Any]:
    """Counts the validation rows of the Parquet files `tweets` (schema.tweet_schema and SPLIT) into `output`.

    Returns figures: the rows of each table, and `rows` and the positives of each engagement of all labelled rows.
    """
    sides = sides_of(counted_keys(VALIDATION, settings.features.counters))
    with atomic.scratch_folder(spill_folder(settings), SHARDS_PREFIX) as scratch:
        seen = distribute(tweets, scratch, sides, SPLIT, settings)
        scopes = [Scope(FINETUNE_SCOPE, without=HOLDOUT), Scope(LABELLED_SCOPE)]
        scopes += [Scope(chunk_scope(chunk), only=chunk) for chunk in sorted(seen.folds - {HOLDOUT})]
        facts = _count(scratch, output, sides, scopes, settings)
    return facts | seen.write_languages(output / LANGUAGES) | seen.figures()


@dataclass
class Seen:
    """What is known of rows once they were read: `rows` by column of few values and value, and COUNTS by fold."""

    rows: dict[str, Counter[str]] = field(default_factory=dict)
    by_fold: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)

    @property
    def folds(self) -> set[int]:
        """All folds."""
        return set(self.by_fold)

    def add(self, rows: NarrowRows) -> None:
        """Adds the folds of the rows of a row group."""
        folds, places = unique_places(rows.folds.astype(np.int64))
        flags = [rows.labels >> bit & 1 for bit in range(len(ENGAGEMENTS))]
        counts = [np.bincount(places, flag, len(folds)) for flag in (*flags, rows.labels == NEGATIVE)]
        counts.append(np.bincount(places, minlength=len(folds)))
        for fold, added in zip(folds.tolist(), np.array(counts).T.astype(np.int64), strict=True):
            self.by_fold[fold] = self.by_fold.get(fold, np.zeros(len(COUNTS), np.int64)) + added

    def merge(self, other: "Seen") -> None:
        """Adds what is known of other rows."""
        for column, rows in other.rows.items():
            self.rows.setdefault(column, Counter()).update(rows)
        for fold, counts in other.by_fold.items():
            self.by_fold[fold] = self.by_fold.get(fold, 0) + counts

    def figures(self) -> dict[str, int]:
        """Returns rows and positives of the window."""
        total = sum(self.by_fold.values(), np.zeros(len(COUNTS), np.int64)).tolist()
        found = dict(zip(COUNTS, total, strict=True))
        return {"rows": found.pop("exposures"), **found}

    def write_days(self, path: Path) -> None:
        """Writes rows and engagements of each fold, by day."""
        days = sorted(self.by_fold)
        counts = np.array([self.by_fold[day] for day in days], np.int64).reshape(-1, len(COUNTS))
        columns = {ENGAGEMENT_DAY: pa.array(days, pa.int32()), "rows": counts[:, COUNTS.index("exposures")]}
        columns |= {name: counts[:, place] for place, name in enumerate(COUNTS) if name != "exposures"}
        pq.write_table(pa.table(columns), path, compression="zstd")

    def write_languages(self, path: Path) -> dict[str, int]:
        """Writes the languages, the most frequent first, ties by name; returns their number."""
        rows = self.rows.get("language", Counter())
        ordered = sorted(rows.items(), key=lambda pair: (-pair[1], pair[0].encode()))
        table = {
            "language": pa.array([name for name, _ in ordered], pa.string()),
            "rows": pa.array([n for _, n in ordered], pa.int64()),
        }
        pq.write_table(pa.table(table), path, compression="zstd")
        return {path.stem: len(ordered)}


def distribute(
    tweets: Sequence[Path], folder: Path, sides: Sequence[Side], fold: str, settings: Settings, prefix: str = ""
) -> Seen:
    """Writes the narrow rows of all parts to `folder` (shards.files): each under `prefix` and run_prefix of its place.

    `fold` is the column of the folds.
    """
    items = [_Narrowed(path, folder, f"{prefix}{run_prefix(part)}", sides, fold) for part, path in enumerate(tweets)]
    seen = Seen()
    rows = [pq.read_metadata(path).num_rows for path in tweets]
    for found in map_items("narrow_rows", _narrow, items, settings, rows):
        seen.merge(found)
    return seen


@dataclass(frozen=True)
class _Narrowed:
    """A part whose narrow rows are written to `folder`."""

    tweets: Path
    folder: Path
    prefix: str
    sides: Sequence[Side]
    fold: str


def _narrow(_: Settings, part: _Narrowed) -> Seen:
    names, seen = Names(), Seen()
    for rows in write_runs(part.tweets, part.folder, part.prefix, part.sides, part.fold, names):
        seen.add(rows)
    seen.rows = names.rows
    return seen


@dataclass(frozen=True)
class _Shards:
    """Shards of a side, whose tables are the files with the number of the `group`."""

    paths: Sequence[Path]
    side: Side
    group: ShardGroup
    output: Path
    scopes: Sequence[Scope]


def _count(
    narrow: Path, output: Path, sides: Sequence[Side], scopes: Sequence[Scope], settings: Settings
) -> dict[str, int]:
    """Counts the narrow rows in the folder `narrow` for each scope; returns the rows of each table."""
    items: list[_Shards] = []
    for side in sides:
        paths = run_paths(narrow, side, "*")
        groups = shard_groups(len(Runs.open(paths, side)))
        items += [_Shards(paths, side, group, output, scopes) for group in groups]
    facts: Counter[str] = Counter()
    for found in map_items("counted_rows", _count_shards, items, settings, [item.group.rows for item in items]):
        facts.update(found)
    return dict(facts)


def _count_shards(_: Settings, shards: _Shards) -> dict[str, int]:
    """Counts shards into one file for each table; returns their rows."""
    runs, side = Runs.open(shards.paths, shards.side), shards.side
    facts: Counter[str] = Counter()
    tables = {side.name: side_schema(side), **{key.name: NESTED_SCHEMA for key in side.nested}}
    with ExitStack() as stack:
        writers = {}
        for scope in shards.scopes:
            for key, schema in tables.items():
                path = stack.enter_context(
                    atomic.atomic_file(table_path(shards.output, scope.prefix, key, shards.group.number))
                )
                writers[scope.prefix, key] = stack.enter_context(pa.ipc.new_file(str(path), schema))
        for low, high in shards.group.bounds:
            rows = runs.shard(low, high)
            for scope in shards.scopes:
                for key, batch in _counted(scope.rows(rows), runs).items():
                    writers[scope.prefix, key].write_batch(batch)
                    facts[f"{scope.prefix}{key}"] += len(batch)
    return facts


def _counted(rows: SideRows, runs: Runs) -> dict[str, pa.RecordBatch]:
    try:
        return count_shard(rows, runs.side, runs.names)
    except CollisionError:
        raise UserError(f"two values of {runs.side.column} have one fingerprint: they can't be told apart") from None
