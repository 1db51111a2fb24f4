"""The rows that a model reads: tweets with the counts of both windows, similar authors and their own profile.

Each family of features is a table with one row a line, made by one .sql file from the rows' numbers (`numbered`) and
the counts of a window. training_counters.sql and validation_counters.sql join the families of a window, features.sql
joins both to the tweets. A family that features.families leaves out is an empty table. What does not belong here: how a
window is counted (counting), who is similar to whom (similarity).
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from engage_pipeline.config import Settings
from engage_pipeline.engine import Engine, open_engine
from engage_pipeline.interactions.counting import (
    FINETUNE_SCOPE,
    LABELLED_SCOPE,
    TRAINING_NUMBERS,
    TRAINING_SCOPE,
    VALIDATION_NUMBERS,
    by_fold_file,
    number_exposures,
    totals_file,
)
from engage_pipeline.progress import Progress, progress
from engage_pipeline.schema import (
    ENGAGEMENT_DAY,
    LINE_NUMBER,
    REVERSED_KEYS,
    TRAINING_KEYS,
    VALIDATION_KEYS,
    feature_schema,
)

Kind = Literal["training", "validation", "test"]
REVERSED_ROLES = dict(zip(REVERSED_KEYS, ("pair", "author", "viewer"), strict=True))
"""The key that is looked up once author and viewer have changed places."""
SIMILAR, REVERSED = "similar_authors", "reversed_roles"
_SEVERAL_A_ROW = frozenset({"hashtag"})
_FAMILIES = len(TRAINING_KEYS) + 2 + len(VALIDATION_KEYS) + len(REVERSED_KEYS) + 2


def write_features(
    tweets: Path,
    output: Path,
    *,
    kind: Kind,
    training_counts: Path,
    similarity: Path,
    validation_counts: Path,
    settings: Settings,
) -> int:
    """Writes schema.feature_schema of the rows in the Parquet file `tweets` to the Parquet file `output`.

    `tweets` holds schema.tweet_schema, for validation rows SPLIT too; its line numbers must differ from each other.
    `training_counts` and `validation_counts` are the folders that counting wrote, `similarity` the file of
    similar_authors. Ordered by engagement day and line, test rows by line alone. Returns the number of rows.
    """
    readable = [tweets.parent, output.parent, training_counts, similarity.parent, validation_counts]
    with (
        open_engine(settings, readable=readable) as engine,
        progress(f"{kind}_features", _FAMILIES, "families") as done,
    ):
        engine.read("source", [tweets])
        engine.view("tweets", f"interactions/kinds/{kind}.sql")
        families = settings.features.families
        _count_in_training(engine, training_counts, families, done, leave_out=kind == "training")
        if SIMILAR in families:
            _count_similar(engine, training_counts, similarity, leave_out=kind == "training")
        else:
            engine.define("similar_engagements", "interactions/no_counts.sql")
            engine.define("similar_sums", "interactions/no_scores.sql")
        done.advance(2, SIMILAR)
        engine.define("training_counters", "interactions/training_counters.sql")
        _count_in_validation(engine, validation_counts, families, done, kind)
        engine.define("validation_counters", "interactions/validation_counters.sql")
        engine.view("profiles", "interactions/profiles.sql")
        engine.view("features", "interactions/features.sql")
        schema = feature_schema(labelled=kind != "test", validation=kind == "validation")
        order = [LINE_NUMBER] if kind == "test" else [ENGAGEMENT_DAY, LINE_NUMBER]
        rows = engine.export("features", output, schema, order)
        done.advance(2)
    return rows


def counter_family(key: str) -> str:
    """The family in features.families that a key of section 3 or 4 of the specification belongs to."""
    return REVERSED if key in REVERSED_KEYS else f"{key}_counters"


def _count_in_training(
    engine: Engine, counts: Path, families: Collection[str], done: Progress, *, leave_out: bool
) -> None:
    engine.view("window_tweets", "interactions/windows/own_day.sql")
    _number_rows(engine, counts, TRAINING_NUMBERS)
    for key in TRAINING_KEYS:
        if counter_family(key) in families:
            _count_key(engine, f"training_{key}", key, counts, TRAINING_SCOPE, leave_out=leave_out)
        else:
            engine.define(f"training_{key}", "interactions/no_counts.sql")
        done.advance(1, key)


def _count_similar(engine: Engine, counts: Path, similarity: Path, *, leave_out: bool) -> None:
    engine.read("similarity", [similarity])
    engine.define("similar_scores", "interactions/similar_scores.sql")
    _open_counts(engine, counts, TRAINING_SCOPE, "pair", leave_out=leave_out)
    engine.define("engaged_pairs", "interactions/engaged_pairs.sql")
    for family in ("similar_engagements", "similar_sums"):
        engine.define(family, f"interactions/{family}.sql")


def _count_in_validation(engine: Engine, counts: Path, families: Collection[str], done: Progress, kind: Kind) -> None:
    scope = LABELLED_SCOPE if kind == "test" else FINETUNE_SCOPE
    leave_out = kind == "validation"
    engine.view("window_tweets", "interactions/windows/own_chunk.sql")
    _number_rows(engine, counts, VALIDATION_NUMBERS)
    for name in (*VALIDATION_KEYS, *REVERSED_KEYS):
        if name in REVERSED_KEYS:
            engine.view("roles", "interactions/roles/reversed.sql")
        if counter_family(name) in families:
            key = REVERSED_ROLES.get(name, name)
            _count_key(engine, f"validation_{name}", key, counts, scope, leave_out=leave_out)
        else:
            engine.define(f"validation_{name}", "interactions/no_counts.sql")
        done.advance(1, name)


def _number_rows(engine: Engine, counts: Path, names: tuple[str, ...]) -> None:
    for name in names:
        engine.read(name, [counts / f"{name}.parquet"])
    number_exposures(engine)


def _count_key(engine: Engine, family: str, key: str, counts: Path, scope: str, *, leave_out: bool) -> None:
    """Defines `family`: the counts of each row's key, one row a line."""
    engine.view("keys", f"interactions/keys/{key}.sql")
    _open_counts(engine, counts, scope, key, leave_out=leave_out)
    if key in _SEVERAL_A_ROW:
        engine.view("left_out", "interactions/left_out.sql")
        engine.define(family, "interactions/sum_by_line.sql")
    else:
        engine.define(family, "interactions/left_out.sql")


def _open_counts(engine: Engine, counts: Path, scope: str, key: str, *, leave_out: bool) -> None:
    engine.read("totals", [counts / totals_file(scope, key)])
    if leave_out:
        engine.read("by_fold", [counts / by_fold_file(scope, key)])
    else:
        engine.view("by_fold", "interactions/no_folds.sql")
