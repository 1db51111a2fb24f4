"""Lists taken as bytes are the lists that Arrow takes."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.interactions.features.list_column import ListColumn

_LISTS = st.lists(st.none() | st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4), max_size=8)


@given(_LISTS, st.data())
def test_as_arrow_takes_them(lists: list[list[int] | None], data: st.DataObject) -> None:
    cut_off = data.draw(st.integers(0, len(lists)))
    column = pa.array(lists, pa.list_(pa.int32())).slice(cut_off)
    places = st.integers(0, max(len(column) - 1, 0))
    rows = pa.array(data.draw(st.lists(places, max_size=12 if len(column) else 0)), pa.int64())
    taken = ListColumn(column).take(rows)
    taken.validate(full=True)
    assert taken.equals(column.take(rows))


@pytest.mark.parametrize("kind", [pa.int64(), pa.int8(), pa.float64()])
def test_numbers_of_another_width(kind: pa.DataType) -> None:
    column = pa.array([[1, 2, 3], [], [4]], pa.list_(kind))
    assert ListColumn(column).take(pa.array([2, 0])).equals(pa.array([[4], [1, 2, 3]], pa.list_(kind)))
