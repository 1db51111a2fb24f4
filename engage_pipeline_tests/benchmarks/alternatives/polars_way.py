"""Ingest, counters and the 65 features in Polars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engage_pipeline import schema
from engage_pipeline.schema import Kind

AUTHOR, VIEWER, HASHTAG = "engaged_with_user_id", "engaging_user_id", "hashtag"
KEYS = {
    "pair": (AUTHOR, VIEWER),
    "author": (AUTHOR,),
    "viewer": (VIEWER,),
    "language": ("language", VIEWER),
    "hashtag": (HASHTAG, VIEWER),
    "tweet": ("tweet_id",),
}
REVERSED = {"reverse_pair": ("pair", (VIEWER, AUTHOR)), "viewer_as_author": ("author", (VIEWER,))}
REVERSED |= {"author_as_viewer": ("viewer", (AUTHOR,))}
NEGATIVE = "negative"
COUNTED = (*schema.ENGAGEMENTS, NEGATIVE)
SECONDS_A_DAY = 86_400


def ingest(source: Path, output: Path) -> int:
    """Typed tweets of a raw part, sorted by tweet, as zstd Parquet; nothing is rejected. Returns the rows."""
    read_part(source).sort("tweet_id").sink_parquet(output, compression="zstd")
    return int(pl.scan_parquet(output).select(pl.len()).collect().item())


def read_part(source: Path) -> pl.LazyFrame:
    """Line number, the 24 columns and the engagement day."""
    text = dict.fromkeys(schema.COLUMN_NAMES, pl.String)
    lines = pl.scan_csv(source, separator=schema.FIELD_SEPARATOR, has_header=False, quote_char=None, schema=text)
    times = [pl.col(schema.engagement_timestamp(name)) for name in schema.ENGAGEMENTS]
    day = pl.coalesce(pl.max_horizontal(times), "tweet_timestamp", pl.lit(0)) // SECONDS_A_DAY
    return (
        lines.with_row_index(schema.LINE_NUMBER)
        .with_columns(_typed(column) for column in schema.COLUMNS)
        .with_columns(day.cast(pl.Int32).alias(schema.ENGAGEMENT_DAY))
    )


def _typed(column: schema.Column) -> pl.Expr:
    text = pl.col(column.name)
    if column.kind in {Kind.TOKENS, Kind.STRINGS}:
        kind = pl.List(pl.Int32 if column.kind is Kind.TOKENS else pl.String)
        split = text.str.split(schema.LIST_SEPARATOR).cast(kind)
        return pl.when(text.is_null()).then(pl.lit([], dtype=kind)).otherwise(split).alias(column.name)
    if column.kind is Kind.INTEGER:
        return text.cast(pl.Int64)
    return (text == "true").alias(column.name) if column.kind is Kind.BOOLEAN else text


@dataclass(frozen=True)
class Counts:
    """Of one key: COUNTED by key, and by key and fold."""

    totals: pl.DataFrame
    by_fold: pl.DataFrame


def count(tweets: pl.LazyFrame, fold: str, keys: Sequence[str]) -> dict[str, Counts]:
    """The counters of the rows, by key."""
    engaged = {name: pl.col(schema.engagement_timestamp(name)).is_not_null() for name in schema.ENGAGEMENTS}
    counted = {**engaged, NEGATIVE: ~pl.any_horizontal(engaged.values())}
    narrow = (AUTHOR, VIEWER, "language", "tweet_id", fold)
    rows = tweets.select(
        *narrow, pl.col("hashtags").alias(HASHTAG), **{name: one.cast(pl.Int32) for name, one in counted.items()}
    ).collect()
    counts = {}
    for key in keys:
        on = KEYS[key]
        exposures = (rows.lazy().explode(HASHTAG, empty_as_null=False) if HASHTAG in on else rows.lazy()).drop_nulls(on)
        by_fold = exposures.group_by(*on, fold).agg(pl.col(COUNTED).sum()).collect()
        totals = by_fold.lazy().group_by(on).agg(pl.col(COUNTED).sum()).collect()
        counts[key] = Counts(totals, by_fold)
    return counts


def write_counts(counts: Mapping[str, Counts], folder: Path) -> None:
    """Two Parquet files a key."""
    for key, found in counts.items():
        found.totals.write_parquet(folder / f"{key}.parquet")
        found.by_fold.write_parquet(folder / f"{key}_by_fold.parquet")


def features(
    tweets: pl.LazyFrame, training: Mapping[str, Counts], validation: Mapping[str, Counts], graph: pl.DataFrame
) -> pl.LazyFrame:
    """Training rows with the 65 features beside their columns; `graph` has author, similar, jaccard."""
    rows = tweets
    for key in schema.TRAINING_KEYS:
        rows = _look_up(rows, key, KEYS[key], training[key], key, schema.ENGAGEMENTS, schema.ENGAGEMENT_DAY)
    rows = _similar(rows, training["pair"], graph)
    for key in schema.VALIDATION_KEYS:
        names = COUNTED if key in schema.NEGATIVE_KEYS else schema.ENGAGEMENTS
        rows = _look_up(rows, key, KEYS[key], validation[key], f"valid_{key}", names)
    for name, (key, on) in REVERSED.items():
        rows = _look_up(rows, key, on, validation[key], f"valid_{name}", schema.ENGAGEMENTS)
    return rows.with_columns(pl.col(schema.INTERACTION_FEATURES).fill_null(0))


def _look_up(
    rows: pl.LazyFrame,
    key: str,
    on: Sequence[str],
    counts: Counts,
    prefix: str,
    names: Sequence[str],
    fold: str | None = None,
) -> pl.LazyFrame:
    """`rows` with the counts of their keys, `on` being the columns of the rows, less those of their own fold."""
    columns = {name: f"{prefix}_{name}" for name in names}
    several = HASHTAG in on
    left = rows.select(schema.LINE_NUMBER, VIEWER, schema.ENGAGEMENT_DAY, pl.col("hashtags").alias(HASHTAG))
    left = left.explode(HASHTAG, empty_as_null=False).drop_nulls(HASHTAG) if several else rows
    kept = (*KEYS[key], *names)
    found = left.join(counts.totals.lazy().select(kept).rename(columns), left_on=on, right_on=KEYS[key], how="left")
    if fold:
        own = {name: f"own_{name}" for name in names}
        by_fold = counts.by_fold.lazy().select(*kept, fold).rename(own)
        found = found.join(by_fold, left_on=[*on, fold], right_on=[*KEYS[key], fold], how="left")
        rest = {columns[name]: pl.col(columns[name]) - pl.col(own[name]).fill_null(0) for name in names}
        found = found.with_columns(**rest).drop(own.values())
    if not several:
        return found
    sums = found.group_by(schema.LINE_NUMBER).agg(pl.col(columns.values()).sum())
    return rows.join(sums, on=schema.LINE_NUMBER, how="left")


def _similar(rows: pl.LazyFrame, pairs: Counts, graph: pl.DataFrame) -> pl.LazyFrame:
    similar = graph.lazy().select(pl.col("author").alias(AUTHOR), "similar", "jaccard")
    own = {name: f"own_{name}" for name in schema.ENGAGEMENTS}
    fold = schema.ENGAGEMENT_DAY
    weighted = {
        f"similar_{name}": ((pl.col(name) - pl.col(own[name]).fill_null(0)) * pl.col("jaccard")).sum() for name in own
    }
    found = (
        rows.select(schema.LINE_NUMBER, AUTHOR, VIEWER, fold)
        .join(similar, on=AUTHOR)
        .join(pairs.totals.lazy(), left_on=["similar", VIEWER], right_on=[AUTHOR, VIEWER])
        .join(
            pairs.by_fold.lazy().select(AUTHOR, VIEWER, fold, *own).rename(own),
            left_on=["similar", VIEWER, fold],
            right_on=[AUTHOR, VIEWER, fold],
            how="left",
        )
        .group_by(schema.LINE_NUMBER)
        .agg(**weighted)
    )
    sums = similar.group_by(AUTHOR).agg(pl.col("jaccard").sum().alias("similar_jaccard_sum"))
    return rows.join(found, on=schema.LINE_NUMBER, how="left").join(sums, on=AUTHOR, how="left")
