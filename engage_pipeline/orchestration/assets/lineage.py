"""The lineage of the interaction tables: the columns that each column is made of, derived from schema.py.

A column of a table with several files is named `<file>.<column>`. The lineage lists the columns whose values decide a
value; the keys of counts only join the tables and are not listed. A training row's counts of its own window are made of
the narrow rows, and those of a validation row also of the counts of its chunk. All families are listed; those beyond
the reference have tables and columns only if they are on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import dagster as dg
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import (
    CHUNK_SCOPES,
    FINETUNE_SCOPE,
    LABELLED_SCOPE,
    TRAINING_SCOPE,
    count_tables,
    rows_table,
)
from engage_pipeline.interactions.graphs import similarity
from engage_pipeline.interactions.shards.grouping import COUNTS
from engage_pipeline.interactions.shards.sides import sides_of
from engage_pipeline.settings.families import (
    AUTHOR,
    COUNTER_FAMILIES,
    REVERSED,
    SIMILAR,
    TRAINING,
    VALIDATION,
    VIEWER,
    Key,
    counted_keys,
)

Source = tuple[str, str]
"""Asset and column."""
Lineage = Mapping[str, Sequence[Source]]
"""Sources by column."""

ROW_COLUMNS: dict[str, tuple[str, ...]] = {
    "n_hashtags": ("hashtags",),
    "n_tokens": (schema.TEXT_TOKENS_HIGH,),
    "engaging_user_account_age_days": ("tweet_timestamp", "engaging_user_account_creation"),
    "engaged_with_user_account_age_days": ("tweet_timestamp", "engaged_with_user_account_creation"),
    "has_hashtag": ("hashtags",),
    "first_hashtag": ("hashtags",),
    "has_gif": ("present_media",),
    "has_photo": ("present_media",),
    "has_video": ("present_media",),
    "has_link": ("present_links",),
    "has_domain": ("present_domains",),
    "is_quote": ("tweet_type",),
    "is_retweet": ("tweet_type",),
    "is_top_level": ("tweet_type",),
    "hour": ("tweet_timestamp",),
    "day_of_month": ("tweet_timestamp",),
    **{target: (schema.engagement_timestamp(target),) for target in schema.TARGETS},
}
"""The raw columns behind each feature of the row itself that has another name."""
TWEETS = {
    "interaction_features": "tweet_parts",
    "validation_features": "validation_tweets",
    "test_features": "test_tweets",
}
"""The tweets of each table of features."""


def table_schemas() -> dict[str, pa.Schema]:
    """Returns the columns of the tables between tweets and features, by asset."""
    return {
        "interaction_counts": count_tables(validation=False),
        "validation_counts": count_tables(validation=True),
        "author_similarity": similarity.SCHEMA,
    }


def column_lineage(name: str) -> Lineage:
    """Returns the lineage of the asset `name`; empty for assets other than counts, similarity and features."""
    if name in TWEETS:
        return dict(_features(name))
    if name == "interaction_counts":
        keys = counted_keys(TRAINING, COUNTER_FAMILIES)
        return dict(_counts("tweet_parts", TRAINING_SCOPE, keys)) | dict(_narrow_rows(keys))
    if name == "validation_counts":
        keys = counted_keys(VALIDATION, COUNTER_FAMILIES)
        scopes = (FINETUNE_SCOPE, LABELLED_SCOPE, CHUNK_SCOPES)
        return {column: sources for scope in scopes for column, sources in _counts("validation_tweets", scope, keys)}
    if name == "author_similarity":
        followers = _columns("tweet_parts", (AUTHOR, VIEWER, "engagee_follows_engager"))
        return dict.fromkeys(similarity.SCHEMA.names, followers)
    return {}


def as_metadata(lineage: Lineage) -> dg.TableColumnLineage:
    """Returns `lineage` in Dagster's type, for the key `dagster/column_lineage`."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=source) for asset, source in sources]
            for column, sources in lineage.items()
        }
    )


def in_words(sources: Sequence[Source]) -> str:
    """Returns such as `from tweet_parts: hashtags; …`: Dagster's free UI shows descriptions, but no column lineage."""
    by_asset: dict[str, list[str]] = {}
    for asset, column in sources:
        by_asset.setdefault(asset, []).append(column)
    return "from " + "; ".join(f"{asset}: {', '.join(columns)}" for asset, columns in by_asset.items())


def _columns(asset: str, columns: Sequence[str]) -> list[Source]:
    return [(asset, column) for column in columns]


def _key_columns(key: Key) -> list[str]:
    """Returns the raw columns that a row's key is read from, in the order of the challenge."""
    return [name for name in schema.COLUMN_NAMES if name in {key.column, key.viewer}]


def _counts(tweets: str, scope: str, keys: Sequence[Key]) -> Iterator[tuple[str, Sequence[Source]]]:
    own = () if scope in {TRAINING_SCOPE, LABELLED_SCOPE} else (schema.SPLIT,)
    for key in keys:
        for count in COUNTS:
            yield f"{scope}{key.name}.{count}", _columns(tweets, (*_key_columns(key), *_counted(count), *own))


def _narrow_rows(keys: Sequence[Key]) -> Iterator[tuple[str, Sequence[Source]]]:
    times = list(schema.LABELS)
    for side in sides_of(keys):
        yield f"{rows_table(side.name)}.labels", _columns("tweet_parts", (side.column, *times))
        yield f"{rows_table(side.name)}.fold", _columns("tweet_parts", (side.column, schema.ENGAGEMENT_DAY))


def _counted(count: str) -> tuple[str, ...]:
    """Returns the raw columns that decide whether a row is counted."""
    if count == "exposures":
        return ()
    engagements = schema.ENGAGEMENTS if count == "negative" else (count,)
    return tuple(schema.engagement_timestamp(engagement) for engagement in engagements)


def _features(name: str) -> Iterator[tuple[str, Sequence[Source]]]:
    tweets, labelled, validation = TWEETS[name], name != "test_features", name == "validation_features"
    every = schema.feature_schema(labelled=labelled, validation=validation, families=COUNTER_FAMILIES)
    for column in every.names:
        yield column, _columns(tweets, ROW_COLUMNS.get(column, (column,)))
    own_window = name == "interaction_features"
    for key in counted_keys(TRAINING, COUNTER_FAMILIES):
        yield from _looked_up(tweets, key, "", _own_window(key) if own_window else _scope(key, TRAINING_SCOPE))
    yield from _similar(tweets, own_window=own_window)
    scopes = [FINETUNE_SCOPE, CHUNK_SCOPES] if validation else [FINETUNE_SCOPE if labelled else LABELLED_SCOPE]
    for key in (*counted_keys(VALIDATION, COUNTER_FAMILIES), *REVERSED):
        yield from _looked_up(
            tweets, key, schema.VALIDATION_PREFIX, _scope(key, *scopes), schema.SPLIT if validation else None
        )


def _looked_up(
    tweets: str, key: Key, prefix: str, counts: Callable[[str], Sequence[Source]], fold: str | None = None
) -> Iterator[tuple[str, Sequence[Source]]]:
    """Yields the features of a key with their sources; `counts` returns those of a count."""
    further = schema.further_features(schema.further_counters(COUNTER_FAMILIES))
    known = {*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES, *further}
    for count in COUNTS:
        if (column := f"{prefix}{key.name}_{count}") in known:
            own_fold = [] if fold is None else [(tweets, fold)]
            own_day = [] if prefix or tweets != "tweet_parts" else [(tweets, schema.ENGAGEMENT_DAY)]
            yield column, [*_columns(tweets, _key_columns(key)), *counts(count), *own_fold, *own_day]


def _scope(key: Key, *scopes: str) -> Callable[[str], Sequence[Source]]:
    asset = "interaction_counts" if scopes == (TRAINING_SCOPE,) else "validation_counts"
    return lambda count: [(asset, f"{scope}{key.counted}.{count}") for scope in scopes]


def _own_window(key: Key) -> Callable[[str], Sequence[Source]]:
    """Returns the sources of a training row's counts of its own window; exposures don't depend on labels."""
    sides = sides_of(counted_keys(TRAINING, COUNTER_FAMILIES))
    rows = next(rows_table(side.name) for side in sides if side.column == (key.viewer or key.column))
    columns = {"exposures": ("fold",)}
    return lambda count: [("interaction_counts", f"{rows}.{name}") for name in columns.get(count, ("labels", "fold"))]


def _similar(tweets: str, *, own_window: bool) -> Iterator[tuple[str, Sequence[Source]]]:
    similar, score = ("author_similarity", "similar"), ("author_similarity", "jaccard")
    (*by_engagement, total) = schema.SIMILARITY_FEATURES
    counts = _own_window(SIMILAR) if own_window else _scope(SIMILAR, TRAINING_SCOPE)
    own_day = [(tweets, schema.ENGAGEMENT_DAY)] if own_window else []
    for column, count in zip(by_engagement, schema.ENGAGEMENTS, strict=True):
        yield column, [*_columns(tweets, (AUTHOR, VIEWER)), *counts(count), *own_day, similar, score]
    yield total, [(tweets, AUTHOR), score]
