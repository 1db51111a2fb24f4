"""Spark as the engine: the heavy SQL on all machines of the master. `engine.Engine` documents the methods.

Executors write files into a folder below the spill folder, and the driver joins them in order into one file, in the
same form as DuckDB's. All machines must see the working directory and the spill folder at the same path.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import accumulate, count
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.engine import Parameters, identifier
from engage_pipeline.engines.spark.dialect import spark_statement
from engage_pipeline.engines.spark.joining import join_files, read_files
from engage_pipeline.engines.spark.session import open_session
from engage_pipeline.files import atomic
from engage_pipeline.machine.spill import SPARK_PREFIX, spill_folder
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class SparkEngine:
    """A Spark session that shares only the driver with other sessions of the process."""

    def __init__(self, settings: Settings, *, readable: Sequence[Path] = ()) -> None:
        """Allows reads and writes below working_dir, the spill folder and `readable` only.

        Raises UserError if Spark is not available.
        """
        spill = spill_folder(settings)
        self._allowed = [path.resolve() for path in (settings.working_dir, spill, *readable)]
        self._session = open_session(settings)
        self._stack = ExitStack()
        self._scratch = self._stack.enter_context(atomic.scratch_folder(spill, SPARK_PREFIX))
        self._numbers = count()

    def __enter__(self) -> Self:
        """The engine itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Removes its tables."""
        self._stack.close()

    def read(self, name: str, paths: Sequence[Path]) -> None:
        """Makes Parquet files readable as the table `name`."""
        patterns = [_pattern(self._checked(path)) for path in paths]
        # With several files, Spark reads every footer, because their columns may differ.
        found = self._session.read.option("mergeSchema", str(len(patterns) > 1).lower()).parquet(*patterns)
        found.createOrReplaceTempView(identifier(name))

    def number(self, name: str, sql: str) -> None:
        """Computes the SELECT of the file `sql` into the table `name`, with numbers of its rows: Parquet in the scratch
        folder. A row's number is its place in its file, behind the rows of the files before."""
        from pyspark.sql.functions import broadcast, col

        table = identifier(name)
        # On disk, not in the executors' memory: it survives the loss of an executor, cuts the query plan, and lets
        # Spark know its size.
        rows = self._select(sql, None)
        files = self._store(rows)
        starts = accumulate((pq.read_metadata(path).num_rows for path in files[:-1]), initial=0)
        named = list(zip((path.name for path in files), starts, strict=True))
        before = self._session.createDataFrame(named, "file_name string, rows_before long")
        stored = self._session.read.schema(rows.schema).parquet(*map(_pattern, files))
        placed = stored.select("*", "_metadata.file_name", "_metadata.row_index").join(broadcast(before), "file_name")
        number = (col("rows_before") + col("row_index")).cast("int").alias("number")
        placed.select(*rows.columns, number).createOrReplaceTempView(table)

    def view(self, name: str, sql: str) -> None:
        """Names the SELECT of the file `sql` without computing it."""
        # As text: a view of a DataFrame would resolve its names now, not at use.
        self._session.sql(f"CREATE OR REPLACE TEMPORARY VIEW `{identifier(name)}` AS {spark_statement(sql)}")

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """Returns the rows of the SELECT of the file `sql`."""
        return read_files(self._store(self._select(sql, parameters)))

    def write(self, sql: str, output: Path, parameters: Parameters | None = None) -> int:
        """Writes the rows of the SELECT of the file `sql` to the Parquet file `output`; returns their number."""
        return join_files(self._store(self._select(sql, parameters)), self._checked(output))

    def _select(self, sql: str, parameters: Parameters | None) -> "DataFrame":
        return self._session.sql(spark_statement(sql), args=dict(parameters) if parameters else None)

    def _store(self, rows: "DataFrame") -> list[Path]:
        """Writes the rows to the scratch folder; returns the files in the order of the rows, at least one."""
        folder = self._scratch / str(next(self._numbers))
        rows.write.parquet(_url(folder))
        return sorted(folder.glob("part-*.parquet"))

    def _checked(self, path: Path) -> Path:
        resolved = path.resolve()
        if not any(resolved.is_relative_to(folder) for folder in self._allowed):
            raise PermissionError(f"{path} is outside of what this engine may read and write")
        return resolved


def _url(path: Path) -> str:
    """Returns the URL of a path in the machine's own file system. No percent-encoding: Spark does not decode it."""
    return f"file://{path}"


def _pattern(path: Path) -> str:
    """Escapes a path for Spark's readers, which read every path as a pattern."""
    # With patterns switched off (`__globPaths__`), they read several such files several times.
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", _url(path))
