"""Columns side by side, against one value after the other."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.features.feature_row import FeatureRow
from engage_pipeline.model.feature_columns import flag_matrix, matrix_if_there, number_matrix
from engage_pipeline_tests.model.network.network_samples import set_column
from engage_pipeline_tests.samples import feature_table


def in_chunks(table: pa.Table, *ends: int) -> pa.Table:
    """The same rows, the columns in chunks."""
    edges = [0, *ends, len(table)]
    return pa.concat_tables([table.slice(low, high - low) for low, high in pairwise(edges)])


@pytest.mark.parametrize("ends", [(), (1,), (7, 7, 20)])
@pytest.mark.parametrize(
    ("names", "dtype"), [(schema.NUMBERS, np.float64), (schema.EXPOSURE_FEATURES, np.int32), (("hour",), np.int64)]
)
def test_number_columns_of_all_types_and_chunks(ends: tuple[int, ...], names: tuple[str, ...], dtype: type) -> None:
    table = feature_table(30, 2)
    found = number_matrix(in_chunks(table, *ends), names, dtype)
    assert (found.dtype, found.flags.c_contiguous) == (dtype, True)
    assert found.tolist() == [[row[name] for name in names] for row in table.select(names).to_pylist()]


def test_a_part_of_a_table_and_none_of_it() -> None:
    table = feature_table(30, 2)
    whole = number_matrix(table, schema.NUMBERS, np.float64)
    np.testing.assert_array_equal(number_matrix(table.slice(3, 5), schema.NUMBERS, np.float64), whole[3:8])
    assert number_matrix(table.slice(0, 0), schema.NUMBERS, np.float64).shape == (0, len(schema.NUMBERS))
    assert flag_matrix(table, ()).shape == (30, 0)


def test_columns_that_may_be_missing() -> None:
    table = pa.table({"one": pa.array([0.5, None, 2.0], pa.float32()), "other": [1, 2, 3]})
    found = matrix_if_there(in_chunks(table, 1), ("other", "none", "one"))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[1, np.nan, 0.5], [2, np.nan, np.nan], [3, np.nan, 2]])
    assert matrix_if_there(table, ()).shape == (3, 0)
    row = FeatureRow({"pair_like": np.array([1])}, table.schema)
    np.testing.assert_array_equal(matrix_if_there(row, ("one", "other")), [[np.nan, np.nan]])


def test_a_column_with_nulls_is_named() -> None:
    broken = set_column(feature_table(3, 0), "pair_like", [None, None, 1])
    broken = set_column(broken, "has_link", [None, True, False])
    with pytest.raises(ValueError, match="column pair_like has 2 nulls"):
        number_matrix(broken, ["hour", "pair_like"], np.float64)
    with pytest.raises(ValueError, match="column has_link has 1 nulls"):
        flag_matrix(broken, ["has_gif", "has_link"])
