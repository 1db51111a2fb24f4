"""Both engines at once: whatever is computed is computed by each, and every value compared."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.engines.engine import Engine, Parameters, statement
from engage_pipeline.engines.spark.engine import SparkEngine
from engage_pipeline.settings.settings import Settings


class Twin:
    """An engine that is both. What it writes where it is asked to is DuckDB's; Spark's stands beside it."""

    compared: set[str] = set()  # noqa: RUF012 - of all twins of the process: the statements that were compared

    def __init__(self, settings: Settings, *, readable: Sequence[Path] = ()) -> None:
        self._stack = ExitStack()
        self._duckdb = self._stack.enter_context(DuckDBEngine(settings, readable=readable))
        self._spark = self._stack.enter_context(SparkEngine(settings, readable=readable))
        self._folder = settings.working_dir
        self._engines: tuple[Engine, Engine] = (self._duckdb, self._spark)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, name: str, paths: Sequence[Path]) -> None:
        for engine in self._engines:
            engine.read(name, paths)

    def number(self, name: str, sql: str) -> None:
        """Numbers are in any order: Spark goes on with DuckDB's."""
        self.fetch(sql)
        for engine in self._engines:
            engine.number(name, sql)
        ours = self._duckdb.connection.table(name).to_arrow_table()
        theirs = self._spark._session.table(name).toArrow()
        assert theirs.schema.names == ours.schema.names
        assert theirs.schema.field("number").type == ours.schema.field("number").type == pa.int32()
        for numbered in (ours, theirs):
            assert sorted(numbered["number"].to_pylist()) == list(range(len(numbered)))
        assert rows(theirs.drop(["number"]), ordered=False) == rows(ours.drop(["number"]), ordered=False)
        pq.write_table(ours, path := self._folder / f"{name}.parquet")
        self._spark.read(name, [path])

    def view(self, name: str, sql: str) -> None:
        self._compare(sql, None)
        for engine in self._engines:
            engine.view(name, sql)

    def fetch(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        ours, theirs = (engine.fetch(sql, parameters) for engine in self._engines)
        self._equal(sql, ours, theirs)
        return ours

    def write(self, sql: str, output: Path, parameters: Parameters | None = None) -> int:
        beside = output.with_name(f"spark-{output.name}")
        assert self._duckdb.write(sql, output, parameters) == self._spark.write(sql, beside, parameters)
        if _is_ordered(sql):
            equal_files(output, beside)
        self._equal(sql, pq.read_table(output), pq.read_table(beside))
        return pq.read_metadata(output).num_rows

    def _compare(self, sql: str, parameters: Parameters | None) -> None:
        if sql not in self.compared:
            self.fetch(sql, parameters)

    def _equal(self, sql: str, ours: pa.Table, theirs: pa.Table) -> None:
        assert theirs.column_names == ours.column_names, sql
        assert rows(theirs, ordered=_is_ordered(sql)) == rows(ours, ordered=_is_ordered(sql)), sql
        self.compared.add(sql)


def equal_files(ours: Path, theirs: Path) -> None:
    """Names, types, order and values of two Parquet files; whether a column may be missing is not compared."""
    mine, other = pq.read_table(ours), pq.read_table(theirs)
    assert [(field.name, field.type) for field in other.schema] == [(field.name, field.type) for field in mine.schema]
    assert other.cast(mine.schema).equals(mine), theirs.name


def rows(table: pa.Table, *, ordered: bool) -> list[tuple[Any, ...]]:
    """The rows as tuples of Python values, as they stand or sorted."""
    found = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return found if ordered else sorted(found, key=repr)


def _is_ordered(sql: str) -> bool:
    return sqlglot.parse_one(statement(sql), read="duckdb").args.get("order") is not None
