"""Writes the rows that a model reads: tweets with the counts of both windows, similar authors and their own profile.

Rows are written in the order of the tweets, a row group at a time. The validation window's counts are looked up. So
are the training window's for validation and test rows; training rows get theirs, without their own day, shard by shard
(features.own_window). docs/adr/0019-shards.md has the reasons.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import pyarrow.parquet as pq

from engage_pipeline.engines.tasks import map_items
from engage_pipeline.interactions.features.joining import RowJoin, read_tweets
from engage_pipeline.interactions.features.own_window import counted_shards, own_columns
from engage_pipeline.interactions.features.rows import feature_file, put_tweets_beside
from engage_pipeline.interactions.features.windows import Counts, Kind, Windows
from engage_pipeline.settings.settings import Settings


def write_features(tweets: Path, output: Path, *, kind: Kind, settings: Settings, **counts: Unpack[Counts]) -> int:
    """Writes schema.feature_schema of the rows in the Parquet file `tweets` to the Parquet file `output`.

    `tweets` holds schema.tweet_schema, for validation rows also SPLIT. The output has its order, and `tweets` gets a
    second name beside it, for its token ids (rows.FeatureFile). Returns the number of rows.
    """
    return write_features_of_parts([(tweets, output)], kind=kind, settings=settings, **counts)


def write_features_of_parts(
    parts: Sequence[tuple[Path, Path]], *, kind: Kind, settings: Settings, **counts: Unpack[Counts]
) -> int:
    """Does the same as write_features for each pair of `tweets` and `output`; returns the number of all rows."""
    windows = Windows.of(settings, counts)
    rows = [pq.read_metadata(tweets).num_rows for tweets, _ in parts]
    with ExitStack() as stack:
        shards = None
        if kind == "training":
            shards = stack.enter_context(counted_shards([tweets for tweets, _ in parts], windows, settings))
        items = [FeaturePart(*paths, place, kind, windows, shards) for place, paths in enumerate(parts)]
        return sum(map_items(f"{kind}_features", write_part, items, settings, rows))


@dataclass(frozen=True)
class FeaturePart:
    """A part whose features are written; `shards` is the folder of counted_shards, in which it is part `place`."""

    tweets: Path
    output: Path
    place: int
    kind: Kind
    windows: Windows
    shards: Path | None


def write_part(settings: Settings, part: FeaturePart) -> int:
    """Writes the features of a part, and puts its tweets beside them; returns the number of rows."""
    join = RowJoin(part.kind, part.windows)
    own = own_columns(part.shards, part.place, part.windows) if part.shards else None
    rows = 0
    with feature_file(part.output, join.schema, aside=settings.engine.threads != 1) as write:
        for group, table in enumerate(read_tweets(part.tweets, tokens=False)):
            write(join.table(table, own(group, len(table)) if own else None, coded=True))
            rows += len(table)
    put_tweets_beside(part.output, part.tweets)
    return rows
