"""Parquet files that tasks wrote beside each other become one."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.files.parquet import batches


def join_files(parts: Sequence[Path], output: Path) -> int:
    """Writes the rows of the Parquet files `parts`, which have the same columns, to the Parquet file `output`, one
    after the other, in row groups as DuckDB's; returns how many. Memory does not grow with their number."""
    # Spark calls a column REQUIRED where its plan says so: all become OPTIONAL, as DuckDBEngine.export has them.
    schema = pa.schema([field.with_nullable(True) for field in pq.read_schema(parts[0])])
    rows = 0
    with pq.ParquetWriter(output, schema, compression="zstd", compression_level=1, store_schema=False) as writer:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for table in batches(file, ROW_GROUP_ROWS):
                    writer.write_table(pa.table(table.columns, schema=schema), row_group_size=ROW_GROUP_ROWS)
                    rows += table.num_rows
    return rows


def read_files(parts: Sequence[Path]) -> pa.Table:
    """The rows of the Parquet files, one after the other, in memory."""
    return pa.concat_tables([pq.read_table(part) for part in parts]).replace_schema_metadata(None)
