"""Runs a .sql file over named Parquet inputs: on DuckDB, or on Spark where one machine is too small.

    with open_engine(settings, readable=[store.root]) as engine:
        engine.read("tweets", paths)                                  # Parquet files as a table
        engine.define("exposures", "interactions/exposures.sql")      # one SELECT as a table of this engine
        engine.write("interactions/pair_counts.sql", output)          # one SELECT into a Parquet file

Each .sql file holds one SELECT over such names, with bound `$parameters`, in the portable subset of DuckDB's dialect.
No statement is assembled from text that comes from data, settings or users. What does not belong here: how an engine
does it (duckdb_engine, spark.engine), and ingest, which is DuckDB's own.
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa

from engage_pipeline.config import Settings

Parameters = Mapping[str, Any]
ROW_GROUP_ROWS = 122_880


class Engine(Protocol):
    """Tables and views of one engine: nothing is shared with others of the process."""

    def __enter__(self) -> Self:
        """The engine itself."""
        ...

    def __exit__(self, *_: object) -> None:
        """Frees what it holds: its tables are gone."""
        ...

    def read(self, name: str, paths: Sequence[Path]) -> None:
        """Makes Parquet files of one schema readable as the table `name`, in place of an earlier view of that name."""
        ...

    def read_apart(self, name: str, paths: Sequence[Path], firsts: Sequence[int]) -> None:
        """As `read`, with firsts[i] added to the line_number of the rows of paths[i]: so that no two rows share one."""
        ...

    def define(self, name: str, sql: str, parameters: Parameters | None = None) -> None:
        """Computes the SELECT of the file `sql` into the table `name` of this engine."""
        ...

    def view(self, name: str, sql: str) -> None:
        """Gives the SELECT of the file `sql` the name `name` without computing it: each use computes it anew, from
        what the names that it reads mean then.

        What was defined before over an earlier view of this name keeps its rows.
        """
        ...

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """The rows of the SELECT of the file `sql`, in memory."""
        ...

    def write(self, sql: str, output: Path, parameters: Parameters | None = None) -> int:
        """Writes the rows of the SELECT of the file `sql` to the Parquet file `output`; returns how many."""
        ...


def open_engine(settings: Settings, *, readable: Sequence[Path] = ()) -> Engine:
    """The engine that `engine.kind` asks for. It may read and write below working_dir, the spill folder and `readable`.

    Raises UserError where Spark is asked for and can't be had.
    """
    # Either costs time and memory to import, and one is enough.
    if settings.engine.kind == "spark":
        from engage_pipeline.spark.engine import SparkEngine

        return SparkEngine(settings, readable=readable)
    from engage_pipeline.duckdb_engine import DuckDBEngine

    return DuckDBEngine(settings, readable=readable)


def statement(sql: str) -> str:
    """The text of a .sql file of this package, such as `interactions/exposures.sql`."""
    return resources.files("engage_pipeline").joinpath(sql).read_text(encoding="utf-8").rstrip().removesuffix(";")


def identifier(name: str) -> str:
    """`name`, if it can name a table or a column without being quoted otherwise. Raises ValueError where it can't."""
    if not name.isidentifier():
        raise ValueError(f"{name!r} does not name a table")
    return name
