"""Matrices from the columns of a feature table or of one row, row-major: the input of networks and trees."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.features.feature_row import FeatureRow

Features: TypeAlias = pa.Table | FeatureRow
"""Rows of schema.feature_schema."""


def number_matrix(table: Features, names: Sequence[str], dtype: Any) -> np.ndarray:
    """Returns the number columns `names` as `dtype` [n, len(names)], one call per batch.

    Raises ValueError naming a column with nulls, UserError if a column is missing.
    """
    try:
        if isinstance(table, FeatureRow):
            return table.matrix(names, dtype)
        chosen = table.select(list(names))
    except KeyError as error:
        raise UserError(f"{error.args[0]}: the model reads a feature family that the rows were made without") from error
    try:
        pieces = [batch.to_tensor(row_major=True).to_numpy() for batch in chosen.to_batches()]
    except pa.ArrowTypeError:
        for name in names:
            _refuse_nulls(name, table[name])
        raise
    if len(pieces) == 1:
        return pieces[0].astype(dtype, copy=False)
    return np.concatenate([np.empty((0, len(names)), dtype), *pieces], dtype=dtype, casting="unsafe")


def matrix_if_there(table: Features, names: Sequence[str]) -> np.ndarray:
    """Returns the number columns `names` as float32 [n, len(names)]; NaN for nulls and columns that are not there."""
    matrix = np.full((table.num_rows, len(names)), np.nan, np.float32)
    if isinstance(table, pa.Table):
        for place, name in enumerate(names):
            if name in table.column_names:
                matrix[:, place] = table[name].to_numpy()
    return matrix


def flag_matrix(table: Features, names: Sequence[str]) -> np.ndarray:
    """Returns the boolean columns `names` as bool [n, len(names)]. Raises ValueError naming a column with nulls."""
    if isinstance(table, FeatureRow):
        return table.matrix(names, np.bool_)
    matrix = np.empty((table.num_rows, len(names)), np.bool_)
    for place, name in enumerate(names):
        matrix[:, place] = column_values(table, name)
    return matrix


def column_values(table: Features, name: str) -> np.ndarray:
    """Returns a column as an array [n]. Raises ValueError if it has nulls."""
    column = table[name]
    if isinstance(table, FeatureRow):
        return column
    _refuse_nulls(name, column)
    return column.to_numpy()


def _refuse_nulls(name: str, column: pa.ChunkedArray) -> None:
    if column.null_count:
        raise ValueError(f"column {name} has {column.null_count} nulls")
