"""Checks the types of a row that is given by column names, as from JSON, and writes it as a line of a test part.

Nothing is converted: a number in quotes is no number. What does not belong here: what a line may hold (single_line).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engage_pipeline.errors import UserError
from engage_pipeline.plurals import first_few
from engage_pipeline.schema import (
    COLUMNS,
    FIELD_SEPARATOR,
    LIST_SEPARATOR,
    N_TEST_COLUMNS,
    VOCABULARY_SIZE,
    Column,
    Kind,
)
from engage_pipeline.settings.yaml_file import shown

_COLUMNS = {column.name: column for column in COLUMNS[:N_TEST_COLUMNS]}
_LARGEST = np.iinfo(np.int64).max


def line_of(row: Mapping[str, Any]) -> bytes:
    """Returns a row as a line of 20 columns, without line end.

    Values are texts, whole numbers that are not negative, true or false, and lists of texts or of token ids; None, an
    empty text or list, or no value at all is missing. numpy's values count as Python's. Raises UserError naming the
    column and the value.
    """
    if unknown := [name for name in row if name not in _COLUMNS]:
        raise UserError(f"no such column: {first_few([shown(name) for name in unknown])}")
    return FIELD_SEPARATOR.join(_text(column, row.get(column.name)) for column in _COLUMNS.values()).encode()


def _text(column: Column, value: Any) -> str:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None:
        return ""
    if column.kind not in {Kind.TOKENS, Kind.STRINGS}:
        return _single(column, value)
    if not isinstance(value, list | tuple):
        raise _wrong(column, value, "no list")
    if column.kind is Kind.TOKENS:
        return LIST_SEPARATOR.join(_number(column, one, VOCABULARY_SIZE - 1) for one in value)
    return LIST_SEPARATOR.join(_spelled(column, one, LIST_SEPARATOR) for one in value)


def _single(column: Column, value: Any) -> str:
    if column.kind is Kind.INTEGER:
        return _number(column, value, _LARGEST)
    if column.kind is Kind.STRING:
        return _spelled(column, value, "")
    if not isinstance(value, bool):
        raise _wrong(column, value, "neither true nor false")
    return "true" if value else "false"


def _number(column: Column, value: Any, largest: int) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(column, value, "no whole number")
    if value < 0:
        raise _wrong(column, value, "negative")
    if value > largest:
        raise _wrong(column, value, f"too large: the most is {largest}")
    return str(value)


def _spelled(column: Column, value: Any, separator: str) -> str:
    if not isinstance(value, str):
        raise _wrong(column, value, "no text")
    if separator and not value:
        raise _wrong(column, value, "an empty text in a list")
    if any(character in value for character in (FIELD_SEPARATOR, "\n", "\r", *separator)):
        raise _wrong(column, value, "a text with a separator inside")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise _wrong(column, value, "a text with half a character inside")
    return value


def _wrong(column: Column, value: Any, reason: str) -> UserError:
    return UserError(f"{column.name}: {shown(value)} is {reason}")
