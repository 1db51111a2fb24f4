"""The counts of each row's keys, looked up by the engine, family by family.

Each family is a SELECT over the rows' numbers (`numbered`) and the counts of a window; it gives one row for each line
with a counted key. Families that are off are not looked up. What does not belong here: counting a window (counting),
who is similar to whom (graphs.similarity), which rows are looked up together (features.pieces).
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypedDict

import pyarrow as pa

from engage_pipeline.engines.engine import Engine
from engage_pipeline.interactions.counters.counting import (
    FINETUNE_SCOPE,
    LABELLED_SCOPE,
    TRAINING_SCOPE,
    by_fold_file,
    number_exposures,
    numbers_of,
    totals_file,
)
from engage_pipeline.schema import TRAINING_KEYS, VALIDATION_KEYS, VALIDATION_PREFIX
from engage_pipeline.settings.families import FAMILY_OF_KEY, REVERSED, SIMILAR, TRAINING, VALIDATION, Key, counted_keys

Kind = Literal["training", "validation", "test"]
Found = Iterator[tuple[str, pa.Table]]
"""Families, such as `valid_pair`, each with the counts of the lines that have a counted key."""
FAMILIES = len(TRAINING_KEYS) + 2 + len(VALIDATION_KEYS) + len(REVERSED)
"""Number of tables that look_up yields if all families of the reference are on, and no others."""


class Counts(TypedDict):
    """The folders of both windows' counts, and the file of similar_authors."""

    training_counts: Path
    similarity: Path
    validation_counts: Path


def counter_family(key: str) -> str:
    """Returns the family in features.families that has the key (docs/specification.md, sections 3 and 4)."""
    return FAMILY_OF_KEY[key].name


def look_up(engine: Engine, counts: Counts, kind: Kind, families: Collection[str]) -> Found:
    """Yields the counts of the rows in the engine's view `tweets`, which interactions/kinds/{kind}.sql defines."""
    yield from _look_up_training(engine, counts, families, leave_out=kind == "training")
    scope = LABELLED_SCOPE if kind == "test" else FINETUNE_SCOPE
    engine.view("window_tweets", "interactions/windows/own_chunk.sql")
    keys = counted_keys(VALIDATION, families)
    _number_rows(engine, counts["validation_counts"], keys)
    for key in (*keys, *REVERSED):
        if key in REVERSED:
            engine.view("roles", "interactions/roles/reversed.sql")
        if counter_family(key.name) in families:
            found = _counts_of_key(engine, key, counts["validation_counts"], scope, leave_out=kind == "validation")
            yield f"{VALIDATION_PREFIX}{key.name}", found


def _look_up_training(engine: Engine, counts: Counts, families: Collection[str], *, leave_out: bool) -> Found:
    folder = counts["training_counts"]
    engine.view("window_tweets", "interactions/windows/own_day.sql")
    keys = counted_keys(TRAINING, families)
    _number_rows(engine, folder, keys)
    for key in keys:
        if counter_family(key.name) in families:
            yield key.name, _counts_of_key(engine, key, folder, TRAINING_SCOPE, leave_out=leave_out)
    if counter_family(SIMILAR.name) in families:
        engine.read("similarity", [counts["similarity"]])
        engine.define("similar_scores", "interactions/similar_scores.sql")
        _open_counts(engine, folder, TRAINING_SCOPE, SIMILAR, leave_out=leave_out)
        engine.define("engaged_pairs", "interactions/engaged_pairs.sql")
        yield SIMILAR.name, engine.fetch("interactions/similar_engagements.sql")
        yield SIMILAR.name, engine.fetch("interactions/similar_sums.sql")


def _number_rows(engine: Engine, counts: Path, keys: Sequence[Key]) -> None:
    for name in numbers_of(keys):
        engine.read(name, [counts / f"{name}.parquet"])
    number_exposures(engine)


def _counts_of_key(engine: Engine, key: Key, counts: Path, scope: str, *, leave_out: bool) -> pa.Table:
    """Returns the counts of each row's key, one row per line."""
    engine.view("keys", f"interactions/keys/{key.counted}.sql")
    _open_counts(engine, counts, scope, key, leave_out=leave_out)
    if not key.several:
        return engine.fetch("interactions/left_out.sql")
    engine.view("left_out", "interactions/left_out.sql")
    return engine.fetch("interactions/sum_by_line.sql")


def _open_counts(engine: Engine, counts: Path, scope: str, key: Key, *, leave_out: bool) -> None:
    engine.read("totals", [counts / totals_file(scope, key.counted)])
    if leave_out:
        engine.read("by_fold", [counts / by_fold_file(scope, key.counted)])
    else:
        engine.view("by_fold", "interactions/no_folds.sql")
