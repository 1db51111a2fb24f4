"""The lineage of the interaction tables: the columns that each column is made of, derived from schema.py.

A column of a table with several files is named `<file>.<column>`. The lineage lists the columns whose values decide a
value; dense numbers of ids and the keys of counts only join the tables and are not listed. A feature that leaves out
the row's own fold is also made of the counts by fold. All families are listed; those beyond the reference have tables
and columns only if they are on.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import (
    COUNTS,
    FINETUNE_SCOPE,
    LABELLED_SCOPE,
    TRAINING_SCOPE,
    by_fold_file,
    count_tables,
    totals_file,
)
from engage_pipeline.interactions.graphs import similarity
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
        return dict(_counts("tweet_parts", TRAINING_SCOPE, keys, schema.ENGAGEMENT_DAY))
    if name == "validation_counts":
        keys = counted_keys(VALIDATION, COUNTER_FAMILIES)
        finetune = _counts("validation_tweets", FINETUNE_SCOPE, keys, schema.SPLIT)
        return dict(finetune) | dict(_counts("validation_tweets", LABELLED_SCOPE, keys, None))
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


def _counts(tweets: str, scope: str, keys: Sequence[Key], fold: str | None) -> Iterator[tuple[str, Sequence[Source]]]:
    for key in keys:
        for count in COUNTS:
            made_of = _columns(tweets, (*_key_columns(key), *_counted(count)))
            yield _stem(totals_file(scope, key.name), count), [*made_of, *_columns(tweets, _own(scope))]
            if fold:
                yield _stem(by_fold_file(scope, key.name), count), [*made_of, (tweets, fold)]


def _own(scope: str) -> tuple[str, ...]:
    """Returns the columns that choose the rows of a scope; only the fine-tuning rows are a part of their table."""
    return (schema.SPLIT,) if scope == FINETUNE_SCOPE else ()


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
    own_day = schema.ENGAGEMENT_DAY if name == "interaction_features" else None
    for key in counted_keys(TRAINING, COUNTER_FAMILIES):
        yield from _looked_up(tweets, "interaction_counts", TRAINING_SCOPE, key, own_day)
    yield from _similar(tweets, own_day)
    scope, own_chunk = FINETUNE_SCOPE if labelled else LABELLED_SCOPE, schema.SPLIT if validation else None
    for key in (*counted_keys(VALIDATION, COUNTER_FAMILIES), *REVERSED):
        yield from _looked_up(tweets, "validation_counts", scope, key, own_chunk)


def _looked_up(
    tweets: str, counts: str, scope: str, key: Key, fold: str | None
) -> Iterator[tuple[str, Sequence[Source]]]:
    """Yields the features of a key with their sources."""
    prefix = schema.VALIDATION_PREFIX if counts == "validation_counts" else ""
    further = schema.further_features(schema.further_counters(COUNTER_FAMILIES))
    known = {*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES, *further}
    for count in COUNTS:
        if (column := f"{prefix}{key.name}_{count}") in known:
            yield column, [*_columns(tweets, _key_columns(key)), *_count(tweets, counts, scope, key, count, fold)]


def _count(tweets: str, counts: str, scope: str, key: Key, count: str, fold: str | None) -> Iterator[Source]:
    yield counts, _stem(totals_file(scope, key.counted), count)
    if fold:
        yield counts, _stem(by_fold_file(scope, key.counted), count)
        yield tweets, fold


def _similar(tweets: str, own_day: str | None) -> Iterator[tuple[str, Sequence[Source]]]:
    similar, score = ("author_similarity", "similar"), ("author_similarity", "jaccard")
    (*by_engagement, total) = schema.SIMILARITY_FEATURES
    for column, count in zip(by_engagement, schema.ENGAGEMENTS, strict=True):
        pairs = _count(tweets, "interaction_counts", TRAINING_SCOPE, SIMILAR, count, own_day)
        yield column, [*_columns(tweets, (AUTHOR, VIEWER)), *pairs, similar, score]
    yield total, [(tweets, AUTHOR), score]


def _stem(file: str, column: str) -> str:
    return f"{file.removesuffix('.parquet')}.{column}"
