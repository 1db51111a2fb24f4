"""The SELECTs of the package in Spark's dialect, translated by sqlglot from DuckDB's."""

from functools import cache

from engage_pipeline.engines.engine import statement


@cache
def spark_statement(sql: str) -> str:
    """The SELECT of the .sql file `sql` as Spark reads it."""
    return translated(statement(sql))


def translated(select: str) -> str:
    """The SELECT in Spark's dialect: `$name` becomes `:name`, places in lists are counted from 0.

    Raises sqlglot.errors.UnsupportedError on what is known to have no counterpart in Spark.
    """
    from sqlglot import ErrorLevel, transpile

    (found,) = transpile(select, read="duckdb", write="spark", unsupported_level=ErrorLevel.RAISE, comments=False)
    return str(found)
