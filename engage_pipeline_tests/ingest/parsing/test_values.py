"""Integers, booleans and lists from text, held against Python's own reading of each text."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.ingest.parsing.values import read_booleans, read_integers, read_lists

ODD = ["1.5", "0x10", "+5", "1e3", "1_000", " 5", "--5", "-", "-0", "007", "٣", "/", ":", "9223372036854775807",
       "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "0" * 30 + "5", "9" * 5000]  # fmt: skip
DIGITS = st.integers(0, 10**19).map(str)


def integer(text: str) -> int | None:
    digits = text.lstrip("-").lstrip("0")
    if not re.fullmatch("-?[0-9]+", text, re.ASCII) or len(digits) > 19:
        return None
    number = int(digits or "0") * (-1 if text.startswith("-") else 1)
    return number if -(2**63) <= number < 2**63 else None


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_integer_among_plain_ones(odd: str) -> None:
    check(["12", odd, None, "7"])


@given(texts=st.lists(DIGITS | st.sampled_from(ODD) | st.none(), min_size=1, max_size=8))
def test_integers_are_read_as_python_reads_them(texts: list[str | None]) -> None:
    check(texts)


def check(texts: list[str | None]) -> None:
    numbers, bad = read_integers(pa.array(texts, pa.string()))
    assert numbers.to_pylist() == [None if text is None else integer(text) for text in texts]
    wrong = [text is not None and integer(text) is None for text in texts]
    assert (bad.tolist() if bad is not None else [False] * len(texts)) == wrong


@pytest.mark.parametrize("texts", [["0", "12", None], [None], [], ["007", "1" * 18]])
def test_plain_digits_have_no_flags(texts: list[str | None]) -> None:
    numbers, bad = read_integers(pa.array(texts, pa.string()))
    assert bad is None
    assert numbers.to_pylist() == [None if text is None else int(text) for text in texts]


def test_only_true_and_false_are_booleans() -> None:
    booleans, bad = read_booleans(pa.array(["true", "false", None]))
    assert (booleans.to_pylist(), bad) == ([True, False, None], None)
    booleans, bad = read_booleans(pa.array(["true", "True", None, "false", "0"]))
    assert booleans.to_pylist() == [True, None, None, False, None]
    assert bad is not None
    assert bad.tolist() == [False, True, False, False, True]


def test_a_missing_list_is_empty_and_an_empty_element_stays() -> None:
    assert read_lists(pa.array(["a\tb", None, "\t", "é", None])).to_pylist() == [["a", "b"], [], ["", ""], ["é"], []]
    assert read_lists(pa.array([None, None], pa.string())).to_pylist() == [[], []]
    assert read_lists(pa.array([None], pa.string())).type == pa.list_(pa.string())
