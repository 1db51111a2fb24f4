"""Writes the rows that a model reads: tweets with the counts of both windows, similar authors and their own profile.

Rows are written in the order of the tweets, a row group at a time. The validation window's counts are looked up. So
are the training window's for validation and test rows; training rows get theirs, without their own day, shard by shard
(features.own_window). docs/adr/0019-shards.md has the reasons.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.files.parquet import open_coded
from engage_pipeline.interactions.counters.counting import FINETUNE_SCOPE, LABELLED_SCOPE
from engage_pipeline.interactions.features.own_window import OwnWindow
from engage_pipeline.interactions.features.profile import Column, profile
from engage_pipeline.interactions.features.rows import Write, feature_file
from engage_pipeline.interactions.features.windows import Asked, Columns, Counts, Kind, Windows, asked_of
from engage_pipeline.progress import Progress, progress
from engage_pipeline.schema import SPLIT, feature_schema
from engage_pipeline.settings.families import AUTHOR
from engage_pipeline.settings.settings import Settings

_TEXTS = ("tweet_id", "tweet_type", "language", "engaged_with_user_id", "engaging_user_id", "hashtags", "present_media")


@dataclass(frozen=True)
class Written:
    """A part with written features: its rows, and the seconds they took, including its share of joint work."""

    rows: int
    seconds: float


def write_features(tweets: Path, output: Path, *, kind: Kind, settings: Settings, **counts: Unpack[Counts]) -> int:
    """Writes schema.feature_schema of the rows in the Parquet file `tweets` to the Parquet file `output`.

    `tweets` holds schema.tweet_schema, for validation rows also SPLIT. The output has its order. Returns the number of
    rows.
    """
    (written,) = write_features_of_parts([(tweets, output)], kind=kind, settings=settings, **counts)
    return written.rows


def write_features_of_parts(
    parts: Sequence[tuple[Path, Path]], *, kind: Kind, settings: Settings, **counts: Unpack[Counts]
) -> Generator[Written]:
    """Does the same as write_features for each pair of `tweets` and `output`; yields figures of each complete output.

    Training parts are worked on shard by shard, all of them at once.
    """
    windows = Windows.of(settings, counts)
    rows = sum(pq.read_metadata(tweets).num_rows for tweets, _ in parts)
    started = time.monotonic()
    with ExitStack() as stack:
        own = None
        if kind == "training":
            own = stack.enter_context(OwnWindow.of([tweets for tweets, _ in parts], windows, settings))
        joint = time.monotonic() - started
        done = stack.enter_context(progress(f"{kind}_features", rows, "rows"))
        for part, (tweets, output) in enumerate(parts):
            started = time.monotonic()
            found = _write_part(tweets, output, part, kind, windows, own, settings, done)
            yield Written(found, time.monotonic() - started + joint * found / max(rows, 1))


def _write_part(
    tweets: Path,
    output: Path,
    part: int,
    kind: Kind,
    windows: Windows,
    own: "OwnWindow | None",
    settings: Settings,
    done: Progress,
) -> int:
    schema = feature_schema(labelled=kind != "test", validation=kind == "validation", families=windows.families)
    counts = own.reader(part) if own else None
    with (
        open_coded(tweets, _TEXTS) as file,
        feature_file(output, schema, aside=settings.engine.threads != 1) as write,
    ):
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, use_threads=False)
            asked = asked_of(table, windows.columns)
            if counts is not None:
                counters = counts(group, len(table))
            else:
                counters = windows.training_counters(asked)
            counters |= _validation_counters(windows, asked, table, kind) | windows.similar_sums(asked.ids[AUTHOR])
            write(features_table(table, counters, schema))
            done.advance(len(table))
        return file.metadata.num_rows


def _validation_counters(windows: Windows, asked: Asked, tweets: pa.Table, kind: Kind) -> Columns:
    if kind == "validation":
        return windows.validation_counters(asked, FINETUNE_SCOPE, tweets[SPLIT].to_numpy())
    return windows.validation_counters(asked, LABELLED_SCOPE if kind == "test" else FINETUNE_SCOPE)


def features_table(tweets: pa.Table, counters: Columns, schema: pa.Schema) -> pa.Table:
    """Returns rows of `schema`, a feature_schema, from rows of tweets and their counters; missing counters are 0.

    Texts may be dictionaries.
    """
    columns: dict[str, Column] = {**profile(tweets), **counters}
    arrays = []
    for field in schema:
        column = columns.get(field.name)
        if column is None:
            column = np.zeros(len(tweets), field.type.to_pandas_dtype())
        array = column if isinstance(column, pa.Array) else pa.array(column)
        dictionary = pa.types.is_dictionary(array.type)
        arrays.append(array if dictionary or array.type == field.type else array.cast(field.type))
    return pa.table(arrays, names=schema.names)
