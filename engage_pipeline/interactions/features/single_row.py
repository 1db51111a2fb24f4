"""The features of one row at a time: the same as write_features gives a test row.

rows = RowFeatures(settings, **published.counts)
table = rows.table(read_line(line))
"""

from collections.abc import Mapping
from typing import Any, Unpack

import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.interactions.features.joining import RowJoin
from engage_pipeline.interactions.features.windows import Counts, Windows
from engage_pipeline.numerics.token_bytes import token_bytes
from engage_pipeline.settings.settings import Settings


class RowFeatures:
    """Computes the features of test rows, from tables on disk that are mapped to memory."""

    def __init__(self, settings: Settings, **counts: Unpack[Counts]) -> None:
        """Opens the counters and the similar authors that write_features looks up; the files may then be removed."""
        self._join = RowJoin("test", Windows.of(settings, counts))
        self._join.windows.hold()
        self._tweets = schema.tweet_schema(labelled=False)

    def table(self, row: Mapping[str, Any]) -> pa.Table:
        """Returns a row of schema.feature_schema, line number 0, for a row's first 20 columns from read_line."""
        written = row["tweet_timestamp"]
        whole = {schema.LINE_NUMBER: 0, schema.ENGAGEMENT_DAY: (written or 0) // 86_400, **row}
        whole |= zip(schema.TOKEN_COLUMNS, token_bytes(row[schema.TEXT_TOKENS]), strict=True)
        values = [pa.array([whole[field.name]], field.type) for field in self._tweets]
        return self._join.table(pa.table(values, schema=self._tweets))
