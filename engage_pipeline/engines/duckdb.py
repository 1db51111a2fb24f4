"""DuckDB as the engine: one machine, with access to the given folders only. `engine.Engine` documents the methods."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from engage_pipeline.engines.engine import ROW_GROUP_ROWS, Parameters, identifier, statement
from engage_pipeline.errors import UserError
from engage_pipeline.machine.spill import spill_folder
from engage_pipeline.settings.settings import Settings


class DuckDBEngine:
    """A DuckDB connection that shares nothing with other connections of the process."""

    def __init__(self, settings: Settings, *, readable: Sequence[Path] = (), threads: int | None = None) -> None:
        """Allows reads and writes below working_dir, the spill folder and `readable` only."""
        spill = spill_folder(settings)
        spill.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"temp_directory": str(spill), "memory_limit": settings.engine.memory_limit}
        if count := threads or settings.engine.threads:
            options["threads"] = count
        self.connection = duckdb.connect(config=options)
        folders = (settings.working_dir, spill, *readable)
        # DuckDB compares a path with these as written, before it expands its patterns.
        allowed = sorted({str(path.resolve()) for path in folders} | {_pattern(path) for path in folders})
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
        """Makes Parquet files of one schema readable as the table `name`; replaces an earlier view of that name."""
        files = [_pattern(path) for path in paths]
        # The relation's view is not temporary, and a temporary one of the same name would hide it.
        self.connection.execute(f'DROP VIEW IF EXISTS temp."{identifier(name)}"')
        self.connection.read_parquet(files, union_by_name=True).create_view(name)

    def number(self, name: str, sql: str) -> None:
        """Computes the SELECT of the file `sql` into the table `name` of this connection, with numbers of its rows."""
        numbered = "SELECT *, CAST(ROW_NUMBER() OVER () - 1 AS INT) AS number FROM"
        self.connection.execute(f'CREATE OR REPLACE TEMP TABLE "{identifier(name)}" AS {numbered} ({statement(sql)})')

    def view(self, name: str, sql: str) -> None:
        """Names the SELECT of the file `sql` without computing it: each use computes it anew.

        Tables defined earlier over a previous view of this name keep their rows.
        """
        self.connection.execute(f'CREATE OR REPLACE TEMP VIEW "{identifier(name)}" AS {statement(sql)}')

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """Returns the rows of the SELECT of the file `sql`."""
        return self.connection.sql(statement(sql), params=parameters or {}).to_arrow_table()

    def write(self, sql: str, output: Path, parameters: Parameters | None = None) -> int:
        """Writes the rows of the SELECT of the file `sql` to the Parquet file `output`; returns their number."""
        return self._copy(statement(sql), output, parameters or {})

    def _copy(self, select: str, output: Path, parameters: Parameters) -> int:
        options = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
        values = {**parameters, "output_path": str(output.resolve())}
        return int(self.connection.execute(f"COPY ({select}) TO $output_path ({options})", values).fetchall()[0][0])


def _pattern(path: Path) -> str:
    """Escapes a path for DuckDB, which reads every path as a pattern. Raises UserError if it can't be escaped."""
    text = str(path.resolve())
    if "\\" in text and re.search(r"[*?[]", text):
        raise UserError(f"{text}: DuckDB can't read a path with a backslash and one of * ? [ in it: use another folder")
    return re.sub(r"[*?[]", r"[\g<0>]", text)
