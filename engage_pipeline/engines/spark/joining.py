"""Joins Parquet files that tasks wrote into one."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import ROW_GROUP_ROWS
from engage_pipeline.files.parquet import batches


def join_files(parts: Sequence[Path], output: Path) -> int:
    """Concatenates the Parquet files `parts`, which have the same columns, into `output`; returns the number of rows.

    Row groups are those of DuckDB. Memory does not grow with the number of rows.
    """
    # Spark marks some columns REQUIRED, by its plan; all become OPTIONAL, as DuckDBEngine.write has them.
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
    """Returns the concatenated rows of the Parquet files."""
    return pa.concat_tables([pq.read_table(part) for part in parts]).replace_schema_metadata(None)
