"""Texts as numbers, against a dictionary."""

import math

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.numerics.categories import category_column, category_numbers


@given(st.lists(st.none() | st.sampled_from("abcde"), max_size=12), st.lists(st.sampled_from("abcd"), unique=True))
def test_a_text_is_its_place_among_the_known(texts: list[str | None], known: list[str]) -> None:
    places = {text: place for place, text in enumerate(known)}
    expected = [places.get(text or "", len(known)) for text in texts]
    whole = pa.array(texts, pa.string())
    for column in (whole, pa.chunked_array([whole[:2], whole[2:]])):
        assert category_numbers(column, known).tolist() == expected
        as_trees_read = category_column(column, known).tolist()
        assert [None if math.isnan(value) else value for value in as_trees_read] == [
            place if place < len(known) else None for place in expected
        ]
