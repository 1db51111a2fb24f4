"""The Parquet file of typed tweets: its row groups, encodings and compression."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.schema import ENGAGEMENT_DAY, LINE_NUMBER, TOKEN_COLUMNS

_DELTAS = (LINE_NUMBER, "tweet_timestamp", "engaging_user_account_creation", "like_timestamp")
"""Integers that hardly recur, or only in neighbouring rows."""
_LENGTHS_APART = ("tweet_id", *TOKEN_COLUMNS)
"""Bytes that hardly recur. Their lengths are stored apart from them, so that zstd sees bytes of one kind."""
PIECE_ROWS = ROW_GROUP_ROWS // 15
"""Rows in a piece; batches of this size need no copy."""


class TweetWriter:
    """Writes typed rows in the given order; the same rows give the same bytes, however they are batched."""

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
        """Adds rows with the columns of the schema, in its order."""
        self._rest.append(pa.RecordBatch.from_arrays(rows.columns, schema=self._schema))
        self._rest_rows += len(rows)
        while self._rest_rows >= PIECE_ROWS:
            self._add_piece(PIECE_ROWS)

    def _add_piece(self, rows: int) -> None:
        """Moves the first `rows` rows into a piece, of a length that no batch decides: pages end with pieces."""
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
        """Completes the file, or removes it after an error."""
        if kind is None:
            if self._rest_rows:
                self._add_piece(self._rest_rows)
            if self._pieces:
                self._write_group()
        self._writer.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)


def _options(schema: pa.Schema) -> dict[str, Any]:
    """Returns the writer's options: most ids, times and counts recur and use a dictionary.

    Only the columns that order the rows have statistics, which let a reader leave out row groups.
    """
    leaves = [f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name for field in schema]
    encodings = dict.fromkeys(_DELTAS, "DELTA_BINARY_PACKED") | dict.fromkeys(_LENGTHS_APART, "DELTA_LENGTH_BYTE_ARRAY")
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [leaf for leaf in leaves if leaf not in encodings],
        "column_encoding": {name: encoding for name, encoding in encodings.items() if name in schema.names},
        "dictionary_pagesize_limit": 16 << 20,
        "write_statistics": [LINE_NUMBER, ENGAGEMENT_DAY],
    }
