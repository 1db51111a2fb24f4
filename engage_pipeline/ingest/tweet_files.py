"""The Parquet file of typed tweets: its row groups, encodings and compression."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.schema import LINE_NUMBER

_TOKENS = "text_tokens.list.element"
_DELTAS = (LINE_NUMBER, "tweet_timestamp", "engaging_user_account_creation", "like_timestamp")
"""Integers that hardly recur, or only in a row's neighbours."""
_PLAIN = "tweet_id"
"""Recurs in a row's neighbours only, where zstd finds it."""
PIECE_ROWS = ROW_GROUP_ROWS // 15
"""Rows that come in batches of so many are taken as they are."""


class TweetWriter:
    """Writes typed rows in the order in which they come; the same rows give the same bytes, however they are cut."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Creates the file; `schema` is a `tweet_schema`."""
        self.rows = 0
        self._path = path
        self._schema = pa.schema([pa.field(field.name, field.type) for field in schema])
        self._writer = pq.ParquetWriter(path, self._schema, store_schema=False, **_options(self._schema))
        self._rest: list[pa.RecordBatch] = []
        self._rest_rows = 0
        self._pieces: list[pa.RecordBatch] = []

    def write(self, rows: pa.RecordBatch) -> None:
        """Adds rows that have the columns of the schema, in its order and of types that can be cast to its types."""
        self._rest.append(rows.cast(self._schema))
        self._rest_rows += len(rows)
        while self._rest_rows >= PIECE_ROWS:
            self._add_piece(PIECE_ROWS)

    def _add_piece(self, rows: int) -> None:
        """Takes the first rows in one piece: pieces are as long however the rows came, since pages end with them."""
        rest = pa.Table.from_batches(self._rest, self._schema)
        self._pieces += rest.slice(0, rows).combine_chunks().to_batches()
        self._rest = rest.slice(rows).to_batches()
        self._rest_rows -= rows
        self.rows += rows
        if len(self._pieces) == ROW_GROUP_ROWS // PIECE_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._pieces, self._schema), row_group_size=ROW_GROUP_ROWS)
        self._pieces = []

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Completes the file; after an error nothing is left of it."""
        if kind is None:
            if self._rest_rows:
                self._add_piece(self._rest_rows)
            if self._pieces:
                self._write_group()
        self._writer.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)


def _options(schema: pa.Schema) -> dict[str, Any]:
    """Most ids, times and counts recur among the rows and are written as numbers into a dictionary. Tokens
    are split into their four bytes' streams, of which two are nearly constant; unlike in delta encoding or a
    dictionary, the repeated rows of a tweet stay the same bytes, which zstd finds."""
    leaves = [f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name for field in schema]
    encodings = {name: "DELTA_BINARY_PACKED" for name in _DELTAS if name in schema.names}
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [leaf for leaf in leaves if leaf not in {_TOKENS, _PLAIN, *_DELTAS}],
        "column_encoding": {_TOKENS: "BYTE_STREAM_SPLIT", **encodings},
        "dictionary_pagesize_limit": 16 << 20,
    }
