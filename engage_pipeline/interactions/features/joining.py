"""Joins rows of tweets with their counters: the rows that a model reads, as tables in memory.

    join = RowJoin("test", Windows.of(settings, counts))
    for tweets in read_tweets(path, tokens=True):
        features = join.table(tweets)

What does not belong here: files of features (features.writing), a training row's own window (features.own_window).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.files.parquet import open_coded
from engage_pipeline.interactions.counters.counting import FINETUNE_SCOPE, LABELLED_SCOPE
from engage_pipeline.interactions.features.profile import profile
from engage_pipeline.interactions.features.tweets import Asked, Column, Tweets, TweetTable
from engage_pipeline.interactions.features.windows import Columns, Kind, Windows
from engage_pipeline.settings.families import AUTHOR

_TEXTS = ("tweet_id", "tweet_type", "language", "engaged_with_user_id", "engaging_user_id", "hashtags", "present_media")


def read_tweets(path: Path, *, tokens: bool) -> Iterator[pa.Table]:
    """Yields the row groups of a Parquet file of schema.tweet_schema; texts that recur are dictionaries.

    Without `tokens`, the column schema.TEXT_TOKENS is left out; the other one of the token ids has their number.
    """
    with open_coded(path, _TEXTS) as file:
        columns = [name for name in file.schema_arrow.names if tokens or name != schema.TEXT_TOKENS]
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns, use_threads=False)


@dataclass(frozen=True)
class RowJoin:
    """Joins rows of a kind with the counters of `windows`."""

    kind: Kind
    windows: Windows

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the joined rows: a schema.feature_schema."""
        labelled, validation = self.kind != "test", self.kind == "validation"
        return schema.feature_schema(labelled=labelled, validation=validation, families=self.windows.families)

    def table(self, tweets: pa.Table, own: Columns | None = None, *, coded: bool = False) -> pa.Table:
        """Returns rows of `schema` for rows of schema.tweet_schema, whose texts may be dictionaries; and their token
        ids, schema.TOKEN_FIELDS, if `tweets` has them.

        `own` holds training rows' counts of their own window; those of other rows are looked up. With `coded`, texts
        that are dictionaries stay so.
        """
        columns = self.columns(TweetTable(tweets), own)
        wanted = [*self.schema, *(field for field in schema.TOKEN_FIELDS if field.name in columns)]
        arrays = [_array(columns.get(field.name), field, len(tweets), coded=coded) for field in wanted]
        fields = [field.with_type(array.type) for field, array in zip(wanted, arrays, strict=True)]
        return pa.table(arrays, schema=pa.schema(fields))

    def columns(self, tweets: Tweets, own: Columns | None = None) -> dict[str, Column]:
        """Returns the columns of `table`, in types of their own, except for counters of families that are off."""
        asked = tweets.asked(self.windows.columns)
        counters = self.windows.training_counters(asked) if own is None else dict(own)
        counters |= self._validation_counters(asked, tweets) | self.windows.similar_sums(asked.ids[AUTHOR])
        return {**profile(tweets), **tweets.tokens(), **counters}

    def _validation_counters(self, asked: Asked, tweets: Tweets) -> Columns:
        if self.kind == "validation":
            return self.windows.validation_counters(asked, FINETUNE_SCOPE, tweets.numbers(schema.SPLIT))
        return self.windows.validation_counters(asked, LABELLED_SCOPE if self.kind == "test" else FINETUNE_SCOPE)


def _array(column: Column | None, field: pa.Field, rows: int, *, coded: bool) -> pa.Array:
    """Returns a column in the type of the field; zeros for counters of families that are off."""
    if column is None:
        column = np.zeros(rows, field.type.to_pandas_dtype())
    array = column if isinstance(column, pa.Array) else pa.array(column)
    kept = array.type == field.type or (coded and pa.types.is_dictionary(array.type))
    return array if kept else array.cast(field.type)
