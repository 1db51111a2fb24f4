"""Writes rows of features to a Parquet file, in order: the profile of each row, and its counters."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.interactions.features.counter_columns import Columns
from engage_pipeline.schema import ENGAGEMENT_DAY, LINE_NUMBER, TOKEN_COLUMNS

Write = Callable[[pa.Table], None]
_WIDE_NUMBERS = {pa.int32(), pa.int64(), pa.float64()}


@contextmanager
def feature_file(output: Path, schema: pa.Schema, *, aside: bool) -> Iterator[Write]:
    """Yields a function that appends a table of `schema` to the Parquet file `output`, as a row group.

    `aside`: write in another thread, at most one table behind.
    """
    with _parquet_writer(output, schema) as writer, ThreadPoolExecutor(1) as thread:
        pending: list[Future[None]] = []

        def write(table: pa.Table) -> None:
            while pending:
                pending.pop().result()
            if aside:
                pending.append(thread.submit(writer.write_table, table))
            else:
                writer.write_table(table)

        yield write
        while pending:
            pending.pop().result()


def _parquet_writer(output: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # BYTE_STREAM_SPLIT stores the first bytes of all numbers, then the second ones, and so on. Most counters are small,
    # so zstd makes this about as small as a dictionary, in half the time.
    encodings = {field.name: "BYTE_STREAM_SPLIT" for field in schema if field.type in _WIDE_NUMBERS}
    encodings |= dict.fromkeys(TOKEN_COLUMNS, "DELTA_LENGTH_BYTE_ARRAY")
    return pq.ParquetWriter(
        output,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[field.name for field in schema if pa.types.is_string(field.type)],
        column_encoding=encodings,
        write_statistics=[LINE_NUMBER, ENGAGEMENT_DAY],
        store_schema=False,
    )


def write_rows(
    write: Write, schema: pa.Schema, profiles: pa.Table, places: npt.NDArray[np.int32], counters: Columns
) -> None:
    """Writes the rows of profiles.sql in the order of `places`, by line; `counters` are in that order."""
    order = np.empty(len(profiles), np.int64)
    order[places[profiles[LINE_NUMBER].to_numpy()]] = np.arange(len(profiles))
    columns = {name: profiles[name].combine_chunks() for name in schema.names if name in profiles.column_names}
    for start in range(0, len(order), ROW_GROUP_ROWS):
        chosen = pa.array(order[start : start + ROW_GROUP_ROWS])
        arrays = [
            pa.array(counters[field.name][start : start + len(chosen)])
            if field.name in counters
            else columns[field.name].take(chosen).cast(field.type)
            for field in schema
        ]
        write(pa.table(arrays, schema=schema))
