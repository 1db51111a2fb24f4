"""What an engine does: runs a .sql file over named Parquet inputs.

Each .sql file holds one SELECT over such names, with bound `$parameters`, in the portable subset of DuckDB's dialect.
No statement is assembled from text that comes from data, settings or users. What does not belong here: which engine
does it (engines.opening), and how (engines.duckdb, engines.spark.engine).
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa

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


def statement(sql: str) -> str:
    """The text of a .sql file of this package, such as `interactions/exposures.sql`."""
    return resources.files("engage_pipeline").joinpath(sql).read_text(encoding="utf-8").rstrip().removesuffix(";")


def identifier(name: str) -> str:
    """`name`, if it can name a table or a column without being quoted otherwise. Raises ValueError where it can't."""
    if not name.isidentifier():
        raise ValueError(f"{name!r} does not name a table")
    return name
