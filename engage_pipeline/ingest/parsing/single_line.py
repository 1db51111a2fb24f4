"""Reads one line of a test part in memory: the rules of `lines` and `fields` without a file.

What belongs here: the single row of a request to a service. What does not: parts, whose lines are rejected one by one
instead of raising (part_ingest).
"""

from typing import Any

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.tokens import strict_token_ids
from engage_pipeline.ingest.parsing.values import strict_integer
from engage_pipeline.schema import (
    COLUMNS,
    FIELD_SEPARATOR,
    LIST_SEPARATOR,
    MAX_TEXT_BYTES,
    N_TEST_COLUMNS,
    Column,
    Kind,
)

_BOOLEANS = {"true": True, "false": False}


def read_line(line: bytes, name: str = "a row") -> dict[str, Any]:
    """Returns the first 20 columns of a line by name: list, str, int or bool; missing = None, or [] for a list.

    The four labels are dropped if the line has them; a line break at the end is allowed. Raises UserError, which begins
    with `name`, if the line can't be read, and TypeError if it is not bytes.
    """
    if not isinstance(line, bytes):
        raise TypeError(f"{name} must be a line as bytes, not {type(line).__name__}")
    try:
        return _columns(line)
    except UserError as error:
        raise UserError(f"{name} is rejected: {error}") from error


def _columns(line: bytes) -> dict[str, Any]:
    try:
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise UserError("it is not UTF-8") from error
    if "\n" in text or "\r" in text:
        raise UserError("it has a line break inside")
    fields = text.split(FIELD_SEPARATOR)
    if len(fields) not in {N_TEST_COLUMNS, len(COLUMNS)}:
        raise UserError(f"columns: {len(fields)} instead of {N_TEST_COLUMNS}")
    columns = COLUMNS[:N_TEST_COLUMNS]
    return {column.name: _value(column, field) for column, field in zip(columns, fields[:N_TEST_COLUMNS], strict=True)}


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
        raise UserError(f"{column.name}: {field[:100]!r} can't be read as {column.kind.value}")
    return found
