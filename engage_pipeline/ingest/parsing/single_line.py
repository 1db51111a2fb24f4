"""Reads one row in memory, a line of a test part or values by column, by the rules of `line_rules` and `values`.

What belongs here: the single row of a request to a service. What does not: parts, whose lines are rejected one by one
instead of raising (part_ingest).
"""

from collections.abc import Mapping
from typing import Any

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing.row_values import line_of
from engage_pipeline.ingest.parsing.values import day_of, value_of
from engage_pipeline.schema import COLUMNS, FIELD_SEPARATOR, N_TEST_COLUMNS, TWEET_TIMESTAMP

Row = bytes | Mapping[str, Any]
"""A row as it is asked about: a line of a text part, or values by column (row_values.line_of)."""


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
    row = {column.name: value_of(column, field) for column, field in zip(columns, fields[:N_TEST_COLUMNS], strict=True)}
    if day_of(row[TWEET_TIMESTAMP] or 0) is None:
        raise UserError(f"{TWEET_TIMESTAMP}: {row[TWEET_TIMESTAMP]} is beyond 32 bits of days")
    return row
