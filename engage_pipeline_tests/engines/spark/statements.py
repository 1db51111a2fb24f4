"""The .sql files of the package that Spark must be able to run."""

from pathlib import Path

PACKAGE = Path(__file__).parents[3] / "engage_pipeline"
DUCKDB_ONLY = {"ingest/sorted_lines.sql"}
"""Sorts the lines of a part as they stream out of the reader: ingest runs DuckDB in its own process (ADR 17)."""


def portable_statements() -> list[str]:
    """Their names, relative to the package, sorted."""
    names = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.sql")}
    assert names > DUCKDB_ONLY
    return sorted(names - DUCKDB_ONLY)
