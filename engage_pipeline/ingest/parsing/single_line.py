"""Reads one row in memory, a line of a test part or values by column: the rules of `lines` and `fields` without a file.

What belongs here: the single row of a request to a service. What does not: parts, whose lines are rejected one by one
instead of raising (part_ingest).
"""

from collections.abc import Mapping
from typing import Any

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.fields import EXPECTED, LAST_DAY, SECONDS_A_DAY
from engage_pipeline.ingest.parsing.row_values import line_of
from engage_pipeline.ingest.parsing.tokens import strict_token_ids
from engage_pipeline.ingest.parsing.values import strict_integer
from engage_pipeline.schema import (
    COLUMNS,
    FIELD_SEPARATOR,
    LIST_SEPARATOR,
    MAX_TEXT_BYTES,
    N_TEST_COLUMNS,
    TWEET_TIMESTAMP,
    Column,
    Kind,
)

Row = bytes | Mapping[str, Any]
"""A row as it is asked about: a line of a text part, or values by column (row_values.line_of)."""
_BOOLEANS = {"true": True, "false": False}


def read_line(line: Row, name: str = "a row") -> dict[str, Any]:
    """Returns the first 20 columns of a row by name: list, str, int or bool; missing = None, or [] for a list.

    The four labels are dropped if a line has them; a line break at its end is allowed. Raises UserError, which begins
    with `name`, if the row can't be read, and TypeError if it is neither bytes nor a mapping.
    """
    if not isinstance(line, bytes | Mapping):
        raise TypeError(f"{name} must be a line as bytes, or values by column, not {type(line).__name__}")
    try:
        return _columns(line if isinstance(line, bytes) else line_of(line))
    except UserError as error:
        raise UserError(f"{name} is rejected: {error}") from error


def _columns(line: bytes) -> dict[str, Any]:
    try:
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise UserError("it is not UTF-8") from error
    if "\n" in text or "\r" in text:
        raise UserError("it has a line break inside")
    if "\0" in text:
        raise UserError("it has a NUL byte inside")
    fields = text.split(FIELD_SEPARATOR)
    if len(fields) not in {N_TEST_COLUMNS, len(COLUMNS)}:
        raise UserError(f"columns: {len(fields)} instead of {N_TEST_COLUMNS}")
    columns = COLUMNS[:N_TEST_COLUMNS]
    row = {column.name: _value(column, field) for column, field in zip(columns, fields[:N_TEST_COLUMNS], strict=True)}
    if not -LAST_DAY - 1 <= (row[TWEET_TIMESTAMP] or 0) // SECONDS_A_DAY <= LAST_DAY:
        raise UserError(f"{TWEET_TIMESTAMP}: {row[TWEET_TIMESTAMP]} is beyond 32 bits of days")
    return row


def _value(column: Column, field: str) -> Any:
    if column.kind in {Kind.TOKENS, Kind.STRINGS} and not field:
        return []
    if not field:
        return None
    if column.kind in {Kind.STRINGS, Kind.STRING}:
        texts = field.split(LIST_SEPARATOR) if column.kind is Kind.STRINGS else [field]
        if any(len(text.encode()) > MAX_TEXT_BYTES for text in texts):
            raise UserError(f"{column.name}: {field[:100]!r} is longer than {MAX_TEXT_BYTES} bytes")
        return texts if column.kind is Kind.STRINGS else field
    found: Any
    if column.kind is Kind.BOOLEAN:
        found = _BOOLEANS.get(field)
    elif column.kind is Kind.INTEGER:
        found = strict_integer(field)
    else:
        found = strict_token_ids(field)
    if found is None:
        raise UserError(f"{column.name}: {field[:100]!r} is {EXPECTED[column.kind]}")
    return found
