"""Counts of a window's rows by key: in total and by fold, so that a row's counts can leave out its own fold.

The folder of a window holds:
    user_numbers, hashtag_numbers[, tweet_numbers].parquet    id, number: the dense number of each id in the counts
    languages.parquet                                          language, rows, number; the most frequent first
    <scope><key>.parquet                                       key, viewer, counts: the totals of the scope
    <scope><key>_by_fold.parquet                               key, viewer, fold, counts
    days.parquet (training)                                    engagement_day, rows, counts
Families beyond the reference (settings/families.py) add files of their keys and numbers if they are on.
A key of two parts is (key, viewer); a key of one part has viewer = 0. The counts are like, reply, retweet,
retweet_with_comment, negative (rows without any engagement) and exposures (all rows), int32.

The training window has one scope, without a prefix; its folds are the engagement days. The validation window has two:
`finetune_`, the fine-tuning rows with the chunks as folds, for the features of training, holdout and fine-tuning rows,
and `labelled_`, all rows, for those of test rows. What does not belong here: looking up counts (family_counts).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from engage_pipeline.engines.engine import Engine
from engage_pipeline.engines.opening import open_engine
from engage_pipeline.progress import Progress, progress
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS
from engage_pipeline.settings.families import COUNTER_FAMILIES, TRAINING, VALIDATION, Key, counted_keys
from engage_pipeline.settings.settings import Settings

TRAINING_SCOPE = ""
FINETUNE_SCOPE = "finetune_"
LABELLED_SCOPE = "labelled_"
LANGUAGES = "languages"
DAYS = "days"
_FIRST_NUMBERS = ("user_numbers", "hashtag_numbers", LANGUAGES)
COUNTS = (*ENGAGEMENTS, "negative", "exposures")


def numbers_of(keys: Sequence[Key]) -> tuple[str, ...]:
    """Returns the names of the files of numbers that `keys` need, in the order in which they are made."""
    return tuple(dict.fromkeys((*_FIRST_NUMBERS, *(key.numbers for key in keys))))


def totals_file(scope: str, key: str) -> str:
    """Returns the name of the file of a key's totals."""
    return f"{scope}{key}.parquet"


def by_fold_file(scope: str, key: str) -> str:
    """Returns the name of the file of a key's counts by fold."""
    return f"{scope}{key}_by_fold.parquet"


def count_tables(*, validation: bool) -> pa.Schema:
    """Returns the columns of all files of a window's folder with every family on, each named `<file>.<column>`."""
    tables: dict[str, tuple[str, ...]] = {}
    keys = counted_keys(VALIDATION if validation else TRAINING, COUNTER_FAMILIES)
    for name in numbers_of(keys):
        tables[name] = ("language", "rows", "number") if name == LANGUAGES else ("id", "number")
    for scope in (FINETUNE_SCOPE, LABELLED_SCOPE) if validation else (TRAINING_SCOPE,):
        for key in keys:
            tables[f"{scope}{key.name}"] = ("key", "viewer", *COUNTS)
            if scope != LABELLED_SCOPE:
                tables[f"{scope}{key.name}_by_fold"] = ("key", "viewer", "fold", *COUNTS)
    if not validation:
        tables[DAYS] = (ENGAGEMENT_DAY, "rows", *ENGAGEMENTS, "negative")
    return pa.schema([(f"{table}.{name}", _type(table, name)) for table, names in tables.items() for name in names])


def _type(table: str, name: str) -> pa.DataType:
    if name in {"id", "language"}:
        return pa.string()
    return pa.int64() if name == "rows" or (table == DAYS and name in COUNTS) else pa.int32()


def count_training(tweets: Sequence[Path], output: Path, settings: Settings) -> dict[str, Any]:
    """Counts the training rows of the Parquet files `tweets` (schema.tweet_schema) into the folder `output`.

    Returns figures: the rows of each written file, and `rows` and the positives of each engagement in the window.
    """
    keys = counted_keys(TRAINING, settings.features.counters)
    numbers = numbers_of(keys)
    tables = len(numbers) + 2 * len(keys)
    with _window(tweets, output, settings) as engine, progress("interaction_counts", tables, "tables") as done:
        engine.view("window_tweets", "interactions/windows/training.sql")
        facts = _number_ids(engine, output, numbers, done)
        facts |= _count_scope(engine, output, TRAINING_SCOPE, keys, done)
        facts |= {DAYS: engine.write("interactions/days.sql", output / f"{DAYS}.parquet")}
        return facts | _figures(engine)


def count_validation(tweets: Sequence[Path], output: Path, settings: Settings) -> dict[str, Any]:
    """Counts the validation rows of the Parquet files `tweets` (schema.tweet_schema and SPLIT) into `output`.

    Returns figures: rows of each written file, and `rows` and the positives of each engagement of all labelled rows.
    """
    keys = counted_keys(VALIDATION, settings.features.counters)
    numbers = numbers_of(keys)
    tables = len(numbers) + 3 * len(keys)
    with _window(tweets, output, settings) as engine, progress("validation_counts", tables, "tables") as done:
        engine.view("window_tweets", "interactions/windows/labelled.sql")
        facts = _number_ids(engine, output, numbers, done)
        engine.view("window_tweets", "interactions/windows/finetune.sql")
        facts |= _count_scope(engine, output, FINETUNE_SCOPE, keys, done)
        engine.view("window_tweets", "interactions/windows/labelled.sql")
        facts |= _count_scope(engine, output, LABELLED_SCOPE, keys, done, folds=False)
        return facts | _figures(engine)


def _window(tweets: Sequence[Path], output: Path, settings: Settings) -> Engine:
    engine = open_engine(settings, readable=sorted({output, *(path.parent for path in tweets)}))
    engine.read("source", tweets)
    return engine


def _number_ids(engine: Engine, output: Path, names: Sequence[str], done: Progress) -> dict[str, int]:
    facts = {}
    for name in names:
        facts[name] = engine.write(f"interactions/{name}.sql", output / f"{name}.parquet")
        engine.read(name, [output / f"{name}.parquet"])
        done.advance(1, name)
    return facts


def _count_scope(
    engine: Engine, output: Path, scope: str, keys: Sequence[Key], done: Progress, *, folds: bool = True
) -> dict[str, int]:
    number_exposures(engine)
    facts = {}
    for key in keys:
        engine.view("keys", f"interactions/keys/{key.name}.sql")
        if folds:
            path = output / by_fold_file(scope, key.name)
            facts[path.stem] = engine.write("interactions/counts_by_fold.sql", path)
            engine.read("by_fold", [path])
            done.advance(1, path.stem)
        else:
            engine.view("by_fold", "interactions/counts_by_fold.sql")
        path = output / totals_file(scope, key.name)
        facts[path.stem] = engine.write("interactions/count_totals.sql", path)
        done.advance(1, path.stem)
    return facts


def number_exposures(engine: Engine) -> None:
    """Defines `numbered` from the view `window_tweets` and a window's numbers; from it `tagged` and `roles`."""
    engine.view("exposures", "interactions/exposures.sql")
    engine.define("numbered", "interactions/numbered.sql")
    engine.define("tagged", "interactions/tagged.sql")  # a table, so that the engine knows how few rows it has
    engine.view("roles", "interactions/roles/shown.sql")


def _figures(engine: Engine) -> dict[str, int]:
    (figures,) = engine.fetch("interactions/figures.sql").to_pylist()
    return figures
