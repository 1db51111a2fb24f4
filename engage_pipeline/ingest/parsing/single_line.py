"""One line of a test part as typed values in memory: the rules of `lines` and `fields` without a file or SQL.

What belongs here: reading a single row that a service is asked about. What does not: parts, whose lines are rejected
one by one instead of raising (part_ingest).
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


def read_line(line: bytes) -> dict[str, Any]:
    """The first 20 columns of a line by name: lists, str, int and bool; None = missing, [] for a list.

    The line may have the four labels, which are dropped, and may end in a line break. Raises UserError with the reason
    for which a part's line would be rejected.
    """
    try:
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise UserError("a row is rejected: it is not UTF-8") from error
    if "\n" in text or "\r" in text:
        raise UserError("a row is rejected: it has a line break inside")
    fields = text.split(FIELD_SEPARATOR)
    if len(fields) not in {N_TEST_COLUMNS, len(COLUMNS)}:
        raise UserError(f"a row is rejected: columns: {len(fields)} instead of {N_TEST_COLUMNS}")
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
            raise UserError(f"a row is rejected: {column.name}: {field[:100]!r} is longer than {MAX_TEXT_BYTES} bytes")
        return texts if column.kind is Kind.STRINGS else field
    found: Any
    if column.kind is Kind.BOOLEAN:
        found = _BOOLEANS.get(field)
    elif column.kind is Kind.INTEGER:
        found = strict_integer(field)
    else:
        found = strict_token_ids(field)
    if found is None:
        raise UserError(f"a row is rejected: {column.name}: {field[:100]!r} can't be read as {column.kind.value}")
    return found
