"""Predicts how people engage with tweets: a Dagster pipeline over DuckDB and Parquet."""
