"""Token ids as lists of a row, and as the two binary columns of tables, packed one by one."""

import struct
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from engage_pipeline.schema import TEXT_TOKENS, TEXT_TOKENS_HIGH


def token_values(ids: Sequence[int]) -> dict[str, bytes]:
    """The two values of a row with these ids."""
    low = b"".join(struct.pack("<H", token % 65_536) for token in ids)
    high = sum(token // 65_536 << place for place, token in enumerate(ids)) + (1 << len(ids))
    return {TEXT_TOKENS: low, TEXT_TOKENS_HIGH: high.to_bytes(len(ids) // 8 + 1, "little") if ids else b""}


def token_arrays(lists: Sequence[Sequence[int] | None]) -> dict[str, pa.Array]:
    """The two columns of rows with these ids; None = null."""
    names = (TEXT_TOKENS, TEXT_TOKENS_HIGH)
    rows = [dict.fromkeys(names) if ids is None else token_values(ids) for ids in lists]
    return {name: pa.array([row[name] for row in rows], pa.binary()) for name in names}


def with_token_values(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the two values instead of its list."""
    return {**row, **token_values(row[TEXT_TOKENS])}


def token_list(row: dict[str, Any]) -> list[int]:
    """The ids of a row of a table."""
    low = struct.unpack(f"<{len(row[TEXT_TOKENS]) // 2}H", row[TEXT_TOKENS])
    high = int.from_bytes(row[TEXT_TOKENS_HIGH], "little")
    assert high.bit_length() == len(low) + bool(low)
    return [one + 65_536 * (high >> place & 1) for place, one in enumerate(low)]


def with_token_list(row: dict[str, Any]) -> dict[str, Any]:
    """The row of a table with a list instead of the two values."""
    return {name: value for name, value in row.items() if name != TEXT_TOKENS_HIGH} | {TEXT_TOKENS: token_list(row)}
