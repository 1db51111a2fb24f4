"""The .sql files of the package that Spark must be able to run."""

from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "engage_pipeline"
DUCKDB_ONLY = {"ingest/field_readers.sql", "ingest/write_tweets.sql"}
"""Macros that read a field, and the COPY of a part: ingest speaks DuckDB, whose read_csv has no counterpart (ADR 3)."""


def portable_statements() -> list[str]:
    """Their names, relative to the package, sorted."""
    names = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.sql")}
    assert names > DUCKDB_ONLY
    return sorted(names - DUCKDB_ONLY)
