"""Whom texts name and their first words, against a plain reading of lists."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.model.effects.openings import MOST_NAME_TOKENS, NAME_TOKENS, openings_of
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline.schema import AT_TOKEN, CLS_TOKEN, COLON_TOKEN, RT_TOKEN, SEP_TOKEN

Text = list[int]
TEXTS = st.lists(
    st.lists(st.sampled_from([RT_TOKEN, AT_TOKEN, COLON_TOKEN, 5, 6, 7]), max_size=8)
    | st.lists(st.sampled_from([5, 6]), max_size=20).map(lambda name: [RT_TOKEN, AT_TOKEN, *name, COLON_TOKEN, 8]),
    max_size=12,
)


def found_in(texts: list[Text], *, whole: bool = False) -> tuple[list[int], list[int]]:
    """Names and first words of texts, which are without [CLS] and [SEP] unless `whole`."""
    rows = texts if whole else [[CLS_TOKEN, *text, SEP_TOKEN] for text in texts]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    named, words = openings_of(offsets, np.array([token for row in rows for token in row], np.int32))
    return named.tolist(), words.tolist()


def read(text: Text) -> tuple[Text, Text]:
    """The tokens of the name, and the rest of the text."""
    if text[:2] == [RT_TOKEN, AT_TOKEN] and COLON_TOKEN in text[2 : 3 + MOST_NAME_TOKENS]:
        colon = text.index(COLON_TOKEN, 2)
        return text[2:colon], text[colon + 1 :]
    if text[:1] == [AT_TOKEN]:
        return text[1 : 1 + NAME_TOKENS], text[1 + NAME_TOKENS :]
    return [], text


@given(TEXTS)
def test_names_and_words_are_those_of_a_plain_reading(texts: list[Text]) -> None:
    named, words = found_in(texts)
    names = [tuple(read(text)[0]) for text in texts]
    assert words == [1 + rest[0] if (rest := read(text)[1]) else NO_FINGERPRINT for text in texts]
    assert [name == NO_FINGERPRINT for name in named] == [not name for name in names]
    for here, there in pairwise(sorted(zip(names, named, strict=True))):
        assert (here[0] == there[0]) == (here[1] == there[1])


@pytest.mark.parametrize("length", [1, MOST_NAME_TOKENS, MOST_NAME_TOKENS + 1])
def test_a_name_before_a_colon_may_be_long(length: int) -> None:
    named, words = found_in([[RT_TOKEN, AT_TOKEN, *[5] * length, COLON_TOKEN, 8]])
    short = length <= MOST_NAME_TOKENS
    assert (named != [NO_FINGERPRINT]) == short
    assert words == [1 + (8 if short else RT_TOKEN)]


def test_the_order_of_a_names_tokens_counts() -> None:
    (one, other), _ = found_in([[AT_TOKEN, 5, 6], [AT_TOKEN, 6, 5]])
    assert one != other


def test_a_text_ends_where_the_next_begins() -> None:
    """A name that the text cuts short, a retweet whose colon is the next text's, and rows without any token."""
    names, words = found_in([[AT_TOKEN, 5], [RT_TOKEN, AT_TOKEN, 5], [COLON_TOKEN, 6], []])
    assert names == [found_in([[AT_TOKEN, 5]])[0][0], NO_FINGERPRINT, NO_FINGERPRINT, NO_FINGERPRINT]
    assert words == [NO_FINGERPRINT, 1 + RT_TOKEN, 1 + COLON_TOKEN, NO_FINGERPRINT]
    assert found_in([[], [CLS_TOKEN], [CLS_TOKEN, SEP_TOKEN]], whole=True) == ([NO_FINGERPRINT] * 3,) * 2
    assert found_in([], whole=True) == ([], [])
