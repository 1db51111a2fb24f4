"""The columns of clean lines as typed rows: the one place that reads CSV.

What belongs here: casting, line numbers, the engagement day, the reasons for values that can't be read. What does not:
lines that are no interactions at all (lines), files and their balance (reading).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from duckdb import CaseExpression, ColumnExpression, ConstantExpression, Expression, FunctionExpression
from duckdb.func import PythonUDFType

from engage_pipeline.duckdb_engine import DuckDBEngine
from engage_pipeline.engine import statement
from engage_pipeline.ingest.lines import MAX_LINE_BYTES, CheckedLines, read_lines
from engage_pipeline.ingest.rejects import Reject
from engage_pipeline.schema import (
    COLUMNS,
    ENGAGEMENT_DAY,
    ENGAGEMENTS,
    FIELD_SEPARATOR,
    LINE_NUMBER,
    N_TEST_COLUMNS,
    SPLIT,
    VOCABULARY_SIZE,
    Column,
    Kind,
    engagement_timestamp,
    tweet_schema,
)

Order = Literal["tweet", "line"]
_ORDERS: dict[Order, tuple[str, ...]] = {"tweet": ("tweet_id", LINE_NUMBER), "line": ()}
"""What the rows are sorted by; they come in the order of their lines anyway."""
_EXPECTED = {
    Kind.TOKENS: f"no tab-separated token ids from 0 to {VOCABULARY_SIZE - 1}",
    Kind.INTEGER: "no integer of 64 bits",
    Kind.BOOLEAN: "neither true nor false",
}
_ORDINAL, _PROBLEM = "ordinal", "problem"


class TypedPart:
    """The rows of a part's clean lines, over a connection of their own."""

    def __init__(self, engine: DuckDBEngine, checked: CheckedLines, *, labelled: bool) -> None:
        """Nothing is read yet."""
        self._connection = engine.connection
        self._labelled = labelled
        self._columns = COLUMNS if labelled else COLUMNS[:N_TEST_COLUMNS]
        self._connection.execute(statement("ingest/field_readers.sql"))
        self._connection.execute("SET VARIABLE vocabulary_size = $size", {"size": VOCABULARY_SIZE})
        self._register("line_of", checked.line_numbers, "BIGINT")
        self._rows = self._numbered(checked.clean)

    def write(self, output: Path, order: Order, split: npt.NDArray[np.int32] | None) -> int:
        """Writes the rows whose every value can be read, in `tweet_schema`; returns how many."""
        selected = [self._output_column(name) for name in tweet_schema(labelled=self._labelled).names]
        if split is not None:
            self._register("split_of", lambda lines: split[lines], "INTEGER")
            selected.append(FunctionExpression("split_of", _line_number()).alias(SPLIT))
        rows = self._rows.filter(ColumnExpression(_PROBLEM).isnull()).select(*selected)
        if keys := _ORDERS[order]:
            rows = rows.sort(*map(ColumnExpression, keys))
        return write_rows(self._connection, rows, output)

    def rejects(self, part: Path) -> Iterator[Reject]:
        """The lines of `part` with a value that can't be read, ascending."""
        bad = self._rows.filter(ColumnExpression(_PROBLEM).isnotnull())
        found = bad.select(_line_number().alias(LINE_NUMBER), ColumnExpression(_PROBLEM)).fetchnumpy()
        lines = np.asarray(found[LINE_NUMBER], dtype=np.int64)
        for line, problem, raw in zip(lines.tolist(), found[_PROBLEM], read_lines(part, lines), strict=True):
            yield Reject(line, self._reason(problem, raw), raw)

    def _register(self, name: str, look_up: Any, result: str) -> None:
        def function(values: Any) -> pa.Array:
            return pa.array(look_up(values.to_numpy()))

        self._connection.create_function(name, function, ["BIGINT"], result, type=PythonUDFType.ARROW)

    def _numbered(self, clean: Path) -> duckdb.DuckDBPyRelation:
        """Raw and typed columns, the first column that can't be read, and the ordinal of each line.

        The ordinal is a window over all rows in the order of the file (DuckDB keeps it). It stands above the casts,
        because then a filter on their outcome is not evaluated below it, which would cast everything twice.
        """
        raw = self._connection.read_csv(
            str(clean.resolve()),
            header=False,
            auto_detect=False,
            sep=FIELD_SEPARATOR,
            quotechar="",
            escapechar="",
            strict_mode=True,
            compression="none",
            max_line_size=MAX_LINE_BYTES + 2,
            columns={_raw(column): "VARCHAR" for column in self._columns},
        )
        values = [
            FunctionExpression(f"read_{column.kind.value}", ColumnExpression(_raw(column))).alias(column.name)
            for column in self._columns
        ]
        typed = raw.select(duckdb.StarExpression(), *values).select(duckdb.StarExpression(), self._day())
        return typed.select(duckdb.StarExpression(), self._problem()).project(
            f"*, row_number() OVER () - 1 AS {_ORDINAL}"
        )

    def _day(self) -> Expression:
        """The day of the latest engagement, else of the tweet, else 0."""
        tweeted = ColumnExpression("tweet_timestamp")
        times = [ColumnExpression(engagement_timestamp(engagement)) for engagement in ENGAGEMENTS]
        latest = [FunctionExpression("greatest", *times)] if self._labelled else []
        seconds = duckdb.CoalesceOperator(*latest, tweeted, ConstantExpression(0))
        return FunctionExpression("day_of", seconds).alias(ENGAGEMENT_DAY)

    def _problem(self) -> Expression:
        """The name of the first column that is there but can't be read; NULL where all can."""
        checks = [
            (ColumnExpression(_raw(column)).isnotnull() & ColumnExpression(column.name).isnull(), column.name)
            for column in self._columns
            if column.kind in _EXPECTED
        ]
        checks.append((ColumnExpression(ENGAGEMENT_DAY).isnull(), ENGAGEMENT_DAY))
        problem: Expression = ConstantExpression(None)
        for failed, name in reversed(checks):
            problem = CaseExpression(failed, ConstantExpression(name)).otherwise(problem)
        return problem.alias(_PROBLEM)

    def _output_column(self, name: str) -> Expression:
        kinds = {column.name: column.kind for column in self._columns}
        if name == LINE_NUMBER:
            return _line_number().alias(name)
        if kinds.get(name) in {Kind.TOKENS, Kind.STRINGS}:
            return duckdb.CoalesceOperator(ColumnExpression(name), FunctionExpression("list_value")).alias(name)
        return ColumnExpression(name)

    def _reason(self, problem: str, raw: bytes) -> str:
        fields = dict(zip((column.name for column in self._columns), raw.decode().split(FIELD_SEPARATOR), strict=False))
        if problem == ENGAGEMENT_DAY:
            return f"{ENGAGEMENT_DAY}: the time of the last engagement, or of the tweet, is beyond 32 bits of days"
        kind = next(column.kind for column in self._columns if column.name == problem)
        return f"{problem}: {fields[problem][:100]!r} is {_EXPECTED[kind]}"


def write_rows(connection: duckdb.DuckDBPyConnection, rows: duckdb.DuckDBPyRelation, output: Path) -> int:
    """Writes `rows` to the Parquet file `output` as all typed tweets are written; returns how many."""
    rows.create_view("tweet_rows")
    copied = connection.execute(statement("ingest/write_tweets.sql"), {"output_path": str(output.resolve())})
    return int(copied.fetchall()[0][0])


def _raw(column: Column) -> str:
    return f"raw_{column.name}"


def _line_number() -> Expression:
    return FunctionExpression("line_of", ColumnExpression(_ORDINAL))
