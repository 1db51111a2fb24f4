"""Rows by column: read as their line is, or refused with the column and the reason."""

from typing import Any

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.single_line import read_line

LARGEST = 2**63 - 1
NUMBER, FLAG, TEXT, TEXTS, TOKENS = (
    "engaging_user_follower_count",
    "engaging_user_is_verified",
    "tweet_id",
    "hashtags",
    "text_tokens",
)


def test_a_row_by_column_is_its_line() -> None:
    row: dict[str, Any] = {
        TOKENS: [101, 0, schema.VOCABULARY_SIZE - 1],
        TEXTS: ("a", "é b"),
        TEXT: "0A",
        FLAG: False,
        "engagee_follows_engager": True,
        NUMBER: LARGEST,
        "tweet_timestamp": 0,
        "language": None,
        "present_media": [],
    }
    texts = dict.fromkeys(schema.COLUMN_NAMES[: schema.N_TEST_COLUMNS], "")
    texts |= {TOKENS: f"101\t0\t{schema.VOCABULARY_SIZE - 1}", TEXTS: "a\té b", TEXT: "0A", FLAG: "false"}
    texts |= {"engagee_follows_engager": "true", NUMBER: str(LARGEST), "tweet_timestamp": "0"}
    line = read_line("\x01".join(texts.values()).encode())
    assert read_line(row) == line
    assert line[TOKENS] == [101, 0, schema.VOCABULARY_SIZE - 1]
    assert read_line({}) == read_line(b"\x01" * (schema.N_TEST_COLUMNS - 1))
    of_numpy = {
        TOKENS: np.array(row[TOKENS]),
        FLAG: np.bool_(False),
        NUMBER: np.int64(LARGEST),
        TEXTS: np.array(row[TEXTS]),
    }
    assert read_line(row | of_numpy) == line


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        *((NUMBER, value, "no whole number") for value in ("12", 1.0, True, [], {}, float("nan"), float("inf"), "")),
        (NUMBER, -1, "negative"),
        (NUMBER, LARGEST + 1, f"too large: the most is {LARGEST}"),
        *((FLAG, value, "neither true nor false") for value in ("true", 1, 0, [True])),
        *((TEXT, value, "no text") for value in (12, 1.5, True, ["a"], {"a": 1}, b"a", float("nan"))),
        *((TEXT, value, "a text with a separator inside") for value in ("a\x01b", "a\nb", "a\r")),
        (TEXT, "\ud800", "a text with half a character inside"),
        *((TEXTS, value, "no list") for value in ("Photo", 1, {"a": 1}, float("nan"))),
        (TEXTS, ["a", ""], "an empty text in a list"),
        (TEXTS, [None], "no text"),
        (TOKENS, "101 102", "no list"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_named_with_its_column(column: str, value: Any, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        read_line({column: value}, "row 3")
    said = str(caught.value)
    assert said.startswith(f"row 3 is rejected: {column}: ")
    assert said.endswith(f" is {reason}")
    assert said.isprintable()
    assert len(said) < 300


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([101, "7"], "'7' is no whole number"),
        ([101, 7.0], "7.0 is no whole number"),
        ([None], "None is no whole number"),
        ([-1], "-1 is negative"),
        ([schema.VOCABULARY_SIZE], "119547 is too large: the most is 119546"),
    ],
)
def test_a_value_of_a_list_is_named(value: list[Any], reason: str) -> None:
    with pytest.raises(UserError, match=f"text_tokens: {reason}$"):
        read_line({TOKENS: value})
    with pytest.raises(UserError, match=r"hashtags: 'a\\tb' is a text with a separator inside$"):
        read_line({TEXTS: ["a\tb"]})
    with pytest.raises(UserError, match=r"hashtags: 7 is no text$"):
        read_line({TEXTS: ["a", 7]})


def test_a_number_that_python_does_not_spell_is_too_large() -> None:
    with pytest.raises(
        UserError, match=rf"{NUMBER}: a number of thousands of digits is too large: the most is {LARGEST}$"
    ):
        read_line({NUMBER: 10**5000})


def test_what_a_line_may_not_hold_a_row_may_not_hold_either() -> None:
    with pytest.raises(UserError, match=r"a row is rejected: tweet_timestamp: .* is beyond 32 bits of days"):
        read_line({"tweet_timestamp": LARGEST})
    with pytest.raises(UserError, match=r"a row is rejected: tweet_id: .* is longer than 200 bytes"):
        read_line({TEXT: "x" * 201})
    with pytest.raises(UserError, match=r"a row is rejected: no such column: 'like_timestamp', 3$"):
        read_line({"like_timestamp": 1, 3: 4})  # type: ignore[dict-item]
