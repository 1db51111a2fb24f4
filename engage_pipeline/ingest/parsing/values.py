"""Reads one text of a line as the value of its column; nothing is guessed.

What does not belong here: columns of many lines (plain_lines), and lines as a whole (line_rules).
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from engage_pipeline.errors import UserError
from engage_pipeline.schema import LIST_SEPARATOR, MAX_TEXT_BYTES, VOCABULARY_SIZE, Column, Kind

Flags = npt.NDArray[np.bool_]
SECONDS_A_DAY = 86_400
LAST_DAY = int(np.iinfo(np.int32).max)
"""The last engagement day; the first one is -LAST_DAY - 1."""
SAFE_DIGITS = 18
"""Any number of at most this many digits fits in 64 bits."""
_EXPECTED = {
    Kind.TOKENS: f"no tab-separated token ids from 0 to {VOCABULARY_SIZE - 1}",
    Kind.INTEGER: "no integer of 64 bits",
    Kind.BOOLEAN: "neither true nor false",
    Kind.STRING: f"longer than {MAX_TEXT_BYTES} bytes",
    Kind.STRINGS: f"a list with a text longer than {MAX_TEXT_BYTES} bytes",
}
"""What a text that can't be read as its kind is."""
_STRICT = re.compile("-?[0-9]+", re.ASCII)
_PLAIN = re.compile(rf"[0-9]{{1,6}}(?:{LIST_SEPARATOR}[0-9]{{1,6}})*")
"""Token ids that are written as they ought to be."""
_INT64 = np.iinfo(np.int64)
_BOOLEANS = {"true": True, "false": False}


def is_utf8(data: bytes) -> bool:
    """Returns whether the bytes are UTF-8."""
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def value_of(column: Column, text: str) -> Any:
    """Returns the value that `text` is: list, str, int or bool; None, or [] for a list, if it is empty.

    Raises UserError with column and text if it can't be read.
    """
    if not text:
        return [] if column.kind in {Kind.TOKENS, Kind.STRINGS} else None
    found: Any
    if column.kind is Kind.STRINGS:
        texts = text.split(LIST_SEPARATOR)
        found = None if any(map(_too_long, texts)) else texts
    elif column.kind is Kind.STRING:
        found = None if _too_long(text) else text
    elif column.kind is Kind.BOOLEAN:
        found = _BOOLEANS.get(text)
    elif column.kind is Kind.INTEGER:
        found = strict_integer(text)
    else:
        found = strict_token_ids(text)
    if found is None:
        raise UserError(f"{column.name}: {text[:100]!r} is {_EXPECTED[column.kind]}")
    return found


def day_of(seconds: int) -> int | None:
    """Returns the day of a time; None if it has more than 32 bits."""
    day = seconds // SECONDS_A_DAY
    return day if -LAST_DAY - 1 <= day <= LAST_DAY else None


def strict_integer(text: str) -> int | None:
    """Returns the integer that `text` is; None if it has another character, or does not fit into 64 bits."""
    # Python refuses to parse thousands of digits; leading zeros don't count.
    if not _STRICT.fullmatch(text) or len(text.lstrip("-").lstrip("0")) > SAFE_DIGITS + 1:
        return None
    digits = text.lstrip("-").lstrip("0") or "0"
    number = -int(digits) if text.startswith("-") else int(digits)
    return number if _INT64.min <= number <= _INT64.max else None


def strict_token_ids(text: str) -> list[int] | None:
    """Returns the token ids that `text` holds; None if one is not in the vocabulary."""
    if _PLAIN.fullmatch(text):
        plain = list(map(int, text.split(LIST_SEPARATOR)))
        return plain if max(plain) < VOCABULARY_SIZE else None
    ids = [number for one in text.split(LIST_SEPARATOR) if (number := strict_integer(one)) is not None]
    whole = len(ids) == text.count(LIST_SEPARATOR) + 1
    return ids if whole and all(0 <= one < VOCABULARY_SIZE for one in ids) else None


def _too_long(text: str) -> bool:
    return len(text.encode()) > MAX_TEXT_BYTES
