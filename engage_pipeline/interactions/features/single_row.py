"""The features of one row at a time: the same as write_features gives a test row.

rows = RowFeatures(settings, **published.counts)
row = rows.of(read_line(line))
"""

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.interactions.features.feature_row import FeatureRow
from engage_pipeline.interactions.features.joining import RowJoin
from engage_pipeline.interactions.features.tweets import Column, TweetRow
from engage_pipeline.interactions.features.windows import Counts, Windows
from engage_pipeline.settings.settings import Settings


class RowFeatures:
    """Computes the features of test rows, from tables on disk that are mapped to memory."""

    def __init__(self, settings: Settings, **counts: Unpack[Counts]) -> None:
        """Opens the counters and the similar authors that write_features looks up; the files may then be removed."""
        self._join = RowJoin("test", Windows.of(settings, counts))
        self._join.windows.hold()
        self._schema = pa.schema([*self._join.schema, *schema.TOKEN_FIELDS])
        numbers = [field for field in self._join.schema if pa.types.is_primitive(field.type)]
        self._absent: dict[str, Column] = {field.name: np.zeros(1, field.type.to_pandas_dtype()) for field in numbers}

    def of(self, row: Mapping[str, Any]) -> FeatureRow:
        """Returns the features of a row, line number 0, from its first 20 columns as read_line gives them."""
        return FeatureRow(self._absent | self._join.columns(TweetRow(row)), self._schema)
