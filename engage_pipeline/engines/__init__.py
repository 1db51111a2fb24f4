"""The SQL engines: their protocol, DuckDB, and Spark."""
