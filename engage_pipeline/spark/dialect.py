"""The SELECTs of the package in Spark's dialect, translated by sqlglot from DuckDB's."""

from functools import cache

from engage_pipeline.engine import statement


@cache
def spark_statement(sql: str) -> str:
    """The SELECT of the .sql file `sql` as Spark reads it: `$name` becomes `:name`, list places are counted from 0.

    Raises sqlglot.errors.UnsupportedError on what has no counterpart in Spark, rather than leaving it out.
    """
    from sqlglot import ErrorLevel, transpile

    (select,) = transpile(
        statement(sql), read="duckdb", write="spark", unsupported_level=ErrorLevel.RAISE, comments=False
    )
    return str(select)
