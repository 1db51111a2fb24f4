"""Opens the engine of `engine.kind`: DuckDB, or Spark for more than one machine.

with open_engine(settings, readable=[store.root]) as engine:
    engine.read("source", paths)                                  # Parquet files as a table
    engine.view("followers", "interactions/followers.sql")        # names one SELECT
    engine.write("interactions/follower_authors.sql", output)     # one SELECT into a Parquet file
"""

from collections.abc import Sequence
from pathlib import Path

from engage_pipeline.engines.engine import Engine
from engage_pipeline.settings.settings import Settings


def open_engine(settings: Settings, *, readable: Sequence[Path] = ()) -> Engine:
    """Opens the engine of `engine.kind`. It may read and write below working_dir, the spill folder and `readable` only.

    Raises UserError if the engine is Spark and not available.
    """
    # Importing either takes time and memory: import the one in use.
    if settings.engine.kind == "spark":
        from engage_pipeline.engines.spark.engine import SparkEngine

        return SparkEngine(settings, readable=readable)
    from engage_pipeline.engines.duckdb import DuckDBEngine

    return DuckDBEngine(settings, readable=readable)
