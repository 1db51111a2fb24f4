"""DuckDB as the engine: one machine, closed to everything but the folders it is given. The meaning of each method
stands at `engine.Engine`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from engage_pipeline.config import Settings
from engage_pipeline.engine import ROW_GROUP_ROWS, Parameters, identifier, statement
from engage_pipeline.spill import spill_folder

_SQL_TYPES = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
}


class DuckDBEngine:
    """A DuckDB connection of its own: nothing is shared with other connections of the process."""

    def __init__(
        self,
        settings: Settings,
        *,
        readable: Sequence[Path] = (),
        threads: int | None = None,
        large_buffers: bool = False,
    ) -> None:
        """May read and write below working_dir, the spill folder and `readable` only.

        With `large_buffers` text leaves as Arrow's large types, for batches of more than 2 GiB.
        """
        spill = spill_folder(settings)
        spill.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"temp_directory": str(spill), "memory_limit": settings.engine.memory_limit}
        if large_buffers:
            options["arrow_large_buffer_size"] = True
        if count := threads or settings.engine.threads:
            options["threads"] = count
        self.connection = duckdb.connect(config=options)
        allowed = sorted({str(path.resolve()) for path in (settings.working_dir, spill, *readable)})
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET enable_progress_bar = false")
        self.connection.execute("SET allowed_directories = $allowed", {"allowed": allowed})
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def __enter__(self) -> Self:
        """The engine itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connection and frees its memory."""
        self.connection.close()

    def read(self, name: str, paths: Sequence[Path]) -> None:
        """Makes Parquet files of one schema readable as the table `name`, in place of an earlier view of that name."""
        # The relation's view is not temporary, and a temporary one of the same name would hide it.
        self.connection.execute(f'DROP VIEW IF EXISTS temp."{identifier(name)}"')
        files = [str(path.resolve()) for path in paths]
        self.connection.read_parquet(files, union_by_name=True).create_view(name)

    def define(self, name: str, sql: str, parameters: Parameters | None = None) -> None:
        """Computes the SELECT of the file `sql` into the table `name` of this connection."""
        table = identifier(name)
        self.connection.execute(f'CREATE OR REPLACE TEMP TABLE "{table}" AS {statement(sql)}', parameters or {})

    def view(self, name: str, sql: str) -> None:
        """Gives the SELECT of the file `sql` the name `name` without computing it: each use computes it anew.

        What was defined before over an earlier view of this name keeps its rows.
        """
        self.connection.execute(f'CREATE OR REPLACE TEMP VIEW "{identifier(name)}" AS {statement(sql)}')

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """The rows of the SELECT of the file `sql`, in memory."""
        return self.connection.sql(statement(sql), params=parameters or {}).to_arrow_table()

    def write(self, sql: str, output: Path, parameters: Parameters | None = None) -> int:
        """Writes the rows of the SELECT of the file `sql` to the Parquet file `output`; returns how many."""
        return self._copy(statement(sql), output, parameters or {})

    def export(self, name: str, output: Path, schema: pa.Schema, order: Sequence[str]) -> int:
        """Writes the table or view `name` to the Parquet file `output`, with the columns, types and order of columns
        of `schema`, its rows ordered by the columns `order`; returns how many. The columns of `order` have no NULL."""
        # DuckDB calls a column REQUIRED or OPTIONAL as the statistics of its input allow, so that files of one schema
        # would differ. It does not see through a CASE: all become OPTIONAL, as in the schema.
        present = f'"{identifier(order[0])}" IS NOT NULL'
        columns = ", ".join(
            f'CASE WHEN {present} THEN CAST("{identifier(f.name)}" AS {_sql_type(f.type)}) END AS "{f.name}"'
            for f in schema
        )
        by = ", ".join(f'"{identifier(column)}"' for column in order)
        select = f'SELECT {columns} FROM "{identifier(name)}" ORDER BY {by}'  # noqa: S608 - names of our schemas
        return self._copy(select, output, {})

    def _copy(self, select: str, output: Path, parameters: Parameters) -> int:
        options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
        values = {**parameters, "output_path": str(output.resolve())}
        return int(self.connection.execute(f"COPY ({select}) TO $output_path ({options})", values).fetchall()[0][0])


def _sql_type(data_type: pa.DataType) -> str:
    if pa.types.is_list(data_type):
        return f"{_SQL_TYPES[data_type.value_type]}[]"
    return _SQL_TYPES[data_type]
