"""What runs the SQL: the protocol of an engine, DuckDB, and Spark."""
