"""One feature row in memory, without Arrow: what a service asks a model about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from engage_pipeline.interactions.features.tweets import Column


@dataclass(frozen=True)
class FeatureRow:
    """One row of `schema`, a schema.feature_schema with TOKEN_FIELDS.

    Its numbers and flags are arrays [1], texts and bytes lists.
    """

    columns: Mapping[str, Column]
    schema: pa.Schema
    num_rows = 1

    def __getitem__(self, name: str) -> Column:
        """A column."""
        return self.columns[name]

    def matrix(self, names: Sequence[str], dtype: Any) -> np.ndarray:
        """Returns columns of numbers or flags side by side, `dtype` [1, names]. Raises KeyError if one is missing."""
        values = [self.columns[name] for name in names]
        return np.concatenate([np.zeros(0, dtype), *values], dtype=dtype, casting="unsafe")[np.newaxis]

    def table(self) -> pa.Table:
        """Returns the row as a table."""
        arrays = [pa.array(self.columns[field.name]).cast(field.type) for field in self.schema]
        return pa.table(arrays, schema=self.schema)
