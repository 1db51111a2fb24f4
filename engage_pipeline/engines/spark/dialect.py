"""The SELECTs of the package in Spark's dialect, translated by sqlglot from DuckDB's."""

from functools import cache

from engage_pipeline.engines.engine import statement


@cache
def spark_statement(sql: str) -> str:
    """Returns the SELECT of the .sql file `sql` in Spark's dialect."""
    return translated(statement(sql))


def translated(select: str) -> str:
    """Translates a SELECT to Spark's dialect: `$name` becomes `:name`, list indices count from 0.

    Raises sqlglot.errors.UnsupportedError if a part is known to have no counterpart in Spark.
    """
    from sqlglot import ErrorLevel, transpile

    (found,) = transpile(select, read="duckdb", write="spark", unsupported_level=ErrorLevel.RAISE, comments=False)
    return str(found)
