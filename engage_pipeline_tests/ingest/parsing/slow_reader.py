"""Reads a part the plain way, a line at a time: what the fast reader is held against.

The format is that of docs/specification.md, section 1.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engage_pipeline.schema import COLUMNS, ENGAGEMENT_DAY, LINE_NUMBER, VOCABULARY_SIZE, Kind

LABELS = ("reply_timestamp", "retweet_timestamp", "retweet_with_comment_timestamp", "like_timestamp")
INTEGER = re.compile(r"-?[0-9]+", re.ASCII)


class UnreadableLineError(Exception):
    """Why a line is rejected: the kind."""


class LabelsInTestPartError(Exception):
    """A test part with labels."""


@dataclass
class SlowPart:
    lines: int = 0
    blank: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[tuple[int, str, bytes]] = field(default_factory=list)
    widths: set[int] = field(default_factory=set)


def read_slowly(content: bytes, *, labelled: bool) -> SlowPart:
    part = SlowPart()
    content = content.removeprefix(b"\xef\xbb\xbf")
    pieces = content.split(b"\n")
    for number, piece in enumerate(pieces):
        ended = number < len(pieces) - 1
        if not ended and not piece:
            continue
        line = piece[:-1] if ended and piece.endswith(b"\r") else piece
        part.lines += 1
        if not line:
            part.blank += 1
            continue
        part.widths.add(line.count(b"\x01") + 1)
        try:
            part.rows.append(_row(line, number, labelled, ended))
        except UnreadableLineError as problem:
            part.rejects.append((number, str(problem), line))
    return part


def truth_columns(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The columns of labels that have values, each of which is 0 or 1: such a part is refused."""
    values = {name: {row[name] for row in rows if row.get(name) is not None} for name in LABELS}
    return {name for name, found in values.items() if found and found <= {0, 1}}


def _row(line: bytes, number: int, labelled: bool, ended: bool) -> dict[str, Any]:
    if len(line) > 2_000_000:
        raise UnreadableLineError("length")
    if b"\r" in line:
        raise UnreadableLineError("carriage return")
    if b"\0" in line:
        raise UnreadableLineError("NUL")
    try:
        fields = line.decode("utf-8").split("\x01")
    except UnicodeDecodeError:
        raise UnreadableLineError("encoding") from None
    last, tweeted = fields[-1], fields[8] if labelled and len(fields) == 24 else "x"
    whole = len(last) >= len(tweeted) and last != ""
    if not labelled and len(fields) == 24:
        whole = True
        if any(fields[20:]):
            raise LabelsInTestPartError(str(number))
        fields = fields[:20]
    columns = COLUMNS if labelled else COLUMNS[:20]
    if len(fields) != len(columns):
        raise UnreadableLineError("columns")
    if not ended and not whole:
        raise UnreadableLineError("line end")
    row: dict[str, Any] = {LINE_NUMBER: number}
    for column, text in zip(columns, fields, strict=True):
        try:
            row[column.name] = _value(column.kind, text)
        except ValueError:
            raise UnreadableLineError(column.name) from None
    times = [row[name] for name in LABELS if labelled and row[name] is not None] or [row["tweet_timestamp"] or 0]
    row[ENGAGEMENT_DAY] = max(times) // 86400
    if not -(2**31) <= row[ENGAGEMENT_DAY] < 2**31:
        raise UnreadableLineError(ENGAGEMENT_DAY)
    return row


def _value(kind: Kind, text: str) -> Any:
    if kind is Kind.STRINGS:
        return [_text(one) for one in text.split("\t")] if text else []
    if kind is Kind.TOKENS:
        tokens = [_integer(token) for token in text.split("\t")] if text else []
        if any(not 0 <= token < VOCABULARY_SIZE for token in tokens):
            raise ValueError
        return tokens
    if not text:
        return None
    if kind is Kind.INTEGER:
        return _integer(text)
    if kind is Kind.BOOLEAN:
        return {"true": True, "false": False}[text] if text in {"true", "false"} else _fail()
    return _text(text)


def _text(text: str) -> str:
    return text if len(text.encode("utf-8")) <= 200 else _fail()


def _integer(text: str) -> int:
    if not INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise ValueError
    return int(text)


def _fail() -> Any:
    raise ValueError
