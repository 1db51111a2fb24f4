"""Raw parts as typed Parquet, read line by line in plain Python, independently of the ingest stage."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.schema import Kind
from engage_pipeline_tests.token_lists import with_token_values

Row = dict[str, Any]
TIMESTAMPS = tuple(schema.engagement_timestamp(engagement) for engagement in schema.ENGAGEMENTS)


def read_part(path: Path) -> list[Row]:
    """The rows of a gzipped raw part, by column name."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [_row(number, line.rstrip("\n").split("\x01")) for number, line in enumerate(file)]


def _row(number: int, values: list[str]) -> Row:
    row: Row = {schema.LINE_NUMBER: number}
    for column, text in zip(schema.COLUMNS, values, strict=False):
        row[column.name] = _value(column.kind, text)
    row[schema.ENGAGEMENT_DAY] = engagement_day(row)
    return row


def _value(kind: Kind, text: str) -> Any:
    if kind in {Kind.TOKENS, Kind.STRINGS}:
        items = text.split("\t") if text else []
        return [int(item) for item in items] if kind is Kind.TOKENS else items
    if not text:
        return None
    return {"string": str, "integer": int, "boolean": lambda word: word == "true"}[kind](text)


def engagement_day(row: Row) -> int:
    """Days since 1970 of the latest engagement, else of the tweet, else 0."""
    engaged = [row[name] for name in TIMESTAMPS if row.get(name) is not None]
    latest = max(engaged) if engaged else row["tweet_timestamp"]
    return 0 if latest is None else latest // 86400


def write_typed(rows: list[Row], path: Path, *, labelled: bool = True) -> Path:
    """`rows`, with tokens in a list, as typed tweets in the order of ingest, with SPLIT where they have one."""
    order = (schema.ENGAGEMENT_DAY, schema.LINE_NUMBER) if labelled else (schema.LINE_NUMBER,)
    rows = sorted(rows, key=lambda row: [row[name] for name in order])
    fields = list(schema.tweet_schema(labelled=labelled))
    if rows and schema.SPLIT in rows[0]:
        fields.append(pa.field(schema.SPLIT, pa.int32()))
    pq.write_table(pa.Table.from_pylist(list(map(with_token_values, rows)), schema=pa.schema(fields)), path)
    return path
