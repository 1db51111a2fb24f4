"""The protocol of an engine, which runs .sql files over named Parquet inputs.

Each .sql file holds one SELECT over such names, with bound `$parameters`, in the portable subset of DuckDB's dialect.
No statement is assembled from text of data, settings or users. What does not belong here: the choice of the engine
(engines.opening), and the engines (engines.duckdb, engines.spark.engine).
"""

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa

Parameters = Mapping[str, Any]
ROW_GROUP_ROWS = 122_880


class Engine(Protocol):
    """An engine with its own tables and views, shared with no other engine of the process."""

    def __enter__(self) -> Self:
        """The engine itself."""
        ...

    def __exit__(self, *_: object) -> None:
        """Drops its tables and frees its resources."""
        ...

    def read(self, name: str, paths: Sequence[Path]) -> None:
        """Makes Parquet files of one schema readable as the table `name`; replaces an earlier view of that name."""
        ...

    def number(self, name: str, sql: str) -> None:
        """Computes the SELECT of the file `sql` into the table `name` of this engine, with one more column `number`.

        Its rows are numbered from 0 in any order, int32, and keep their numbers.
        """
        ...

    def view(self, name: str, sql: str) -> None:
        """Names the SELECT of the file `sql` without computing it: each use computes it anew.

        The names that it reads are resolved at use, not at definition. Tables defined earlier over a previous view of
        this name keep their rows.
        """
        ...

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """Returns the rows of the SELECT of the file `sql`."""
        ...

    def write(self, sql: str, output: Path, parameters: Parameters | None = None) -> int:
        """Writes the rows of the SELECT of the file `sql` to the Parquet file `output`; returns their number."""
        ...


def statement(sql: str) -> str:
    """Returns the text of a .sql file of this package, such as `interactions/followers.sql`."""
    return resources.files("engage_pipeline").joinpath(sql).read_text(encoding="utf-8").rstrip().removesuffix(";")


def identifier(name: str) -> str:
    """Returns `name` if it can name a table or a column in plain quotes, else raises ValueError."""
    if not name.isidentifier():
        raise ValueError(f"{name!r} does not name a table")
    return name
