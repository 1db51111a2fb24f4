"""The Parquet file of features: its encodings and compression."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.schema import ENGAGEMENT_DAY, LINE_NUMBER, TOKEN_COLUMNS

Write = Callable[[pa.Table], None]


@contextmanager
def feature_file(output: Path, schema: pa.Schema, *, aside: bool) -> Iterator[Write]:
    """Yields a function that appends a table of `schema` to the Parquet file `output`; texts may be dictionaries.

    `aside`: write in another thread, at most one table behind.
    """
    with _parquet_writer(output, schema) as writer, ThreadPoolExecutor(1) as thread:
        pending: list[Future[None]] = []

        def write(table: pa.Table) -> None:
            while pending:
                pending.pop().result()
            whole = _with_dictionaries(table, writer.schema)
            if aside:
                pending.append(thread.submit(writer.write_table, whole, ROW_GROUP_ROWS))
            else:
                writer.write_table(whole, ROW_GROUP_ROWS)

        yield write
        while pending:
            pending.pop().result()


def _with_dictionaries(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        column
        if column.type == field.type
        else column.cast(field.type)
        if not pa.types.is_dictionary(field.type)
        else column.dictionary_encode().cast(field.type)
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _parquet_writer(output: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # BYTE_STREAM_SPLIT stores the first bytes of all numbers, then the second ones, and so on. Most counters are small,
    # so zstd makes this about as small as a dictionary, in half the time.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    coded = [
        field.with_type(pa.dictionary(pa.int32(), pa.string())) if field.name in texts else field for field in schema
    ]
    encodings = {field.name: "BYTE_STREAM_SPLIT" for field in schema if field.type in {pa.int32(), pa.int64()}}
    encodings |= dict.fromkeys(TOKEN_COLUMNS, "DELTA_LENGTH_BYTE_ARRAY")
    return pq.ParquetWriter(
        output,
        pa.schema(coded),
        compression="zstd",
        compression_level=1,
        use_dictionary=[*texts, *(field.name for field in schema if pa.types.is_float64(field.type))],
        column_encoding=encodings,
        write_statistics=[LINE_NUMBER, ENGAGEMENT_DAY],
        store_schema=False,
    )
