"""One text of a line, held against Python's own reading of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.values import strict_integer, strict_token_ids, value_of
from engage_pipeline.schema import Column, Kind

ODD = ["1.5", "0x10", "+5", "1e3", "1_000", " 5", "--5", "-", "-0", "007", "٣", "/", ":", "9223372036854775807",
       "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "0" * 30 + "5", "9" * 5000]  # fmt: skip
DIGITS = st.integers(-(10**19), 10**19).map(str)
PIECES = ["101", "0", "119546", "119547", "7", "12345678", "123456789", "00000000012", "-0", "-5", "+5", "1.5", "1e3",
          "0x10", "1_000", " 5", "", "٣", "é", "/", ":", "99999999999", "\x02", "4294967301", "100000005"]  # fmt: skip


def integer(text: str) -> int | None:
    digits = text.lstrip("-").lstrip("0")
    if not re.fullmatch("-?[0-9]+", text, re.ASCII) or len(digits) > 19:
        return None
    number = int(digits or "0") * (-1 if text.startswith("-") else 1)
    return number if -(2**63) <= number < 2**63 else None


def token_ids(text: str) -> list[int] | None:
    numbers = text.split("\t")
    if not all(re.fullmatch("-?[0-9]+", number, re.ASCII) for number in numbers):
        return None
    ids = [int(number) for number in numbers]
    return ids if min(ids) >= 0 and max(ids) < 119_547 else None


@given(text=DIGITS | st.sampled_from(ODD))
@pytest.mark.parametrize("odd", ODD)
def test_an_integer_is_read_as_python_reads_it(odd: str, text: str) -> None:
    for one in (odd, text):
        assert strict_integer(one) == integer(one)


@given(texts=st.lists(st.sampled_from(PIECES), min_size=1, max_size=6))
@pytest.mark.parametrize("piece", PIECES)
def test_token_ids_are_read_as_python_reads_them(piece: str, texts: list[str]) -> None:
    for text in (piece, f"101\t{piece}", f"{piece}\t102", f"1\t{piece}\t2", "\t".join(texts)):
        if text:
            assert strict_token_ids(text) == token_ids(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.BOOLEAN, "true", True),
        (Kind.BOOLEAN, "false", False),
        (Kind.BOOLEAN, "", None),
        (Kind.INTEGER, "-12", -12),
        (Kind.INTEGER, "", None),
        (Kind.STRING, "é" * 100, "é" * 100),
        (Kind.STRING, "", None),
        (Kind.STRINGS, "a\t\té", ["a", "", "é"]),
        (Kind.STRINGS, "\t", ["", ""]),
        (Kind.STRINGS, "", []),
        (Kind.STRINGS, "\t".join(["x" * 200] * 2), ["x" * 200] * 2),
        (Kind.TOKENS, "101\t102", [101, 102]),
        (Kind.TOKENS, "", []),
    ],
)
def test_a_text_is_the_value_of_its_kind(kind: Kind, text: str, value: object) -> None:
    found = value_of(Column("name", kind, ""), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        (Kind.BOOLEAN, "True", "neither true nor false"),
        (Kind.BOOLEAN, "0", "neither true nor false"),
        (Kind.INTEGER, "1.5", "no integer of 64 bits"),
        (Kind.STRING, "é" * 100 + "x", "longer than 200 bytes"),
        (Kind.STRINGS, "a\t" + "x" * 201, "a list with a text longer than 200 bytes"),
        (Kind.TOKENS, "101\t119547", "no tab-separated token ids from 0 to 119546"),
    ],
)
def test_any_other_text_is_told_with_column_and_text(kind: Kind, text: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"^name: .* is {reason}$") as told:
        value_of(Column("name", kind, ""), text)
    assert repr(text[:100]) in str(told.value)
