"""Opens the engine that the settings ask for: DuckDB, or Spark where one machine is too small.

with open_engine(settings, readable=[store.root]) as engine:
    engine.read("tweets", paths)                                  # Parquet files as a table
    engine.define("exposures", "interactions/exposures.sql")      # one SELECT as a table of this engine
    engine.write("interactions/pair_counts.sql", output)          # one SELECT into a Parquet file
"""

from collections.abc import Sequence
from pathlib import Path

from engage_pipeline.engines.engine import Engine
from engage_pipeline.settings.settings import Settings


def open_engine(settings: Settings, *, readable: Sequence[Path] = ()) -> Engine:
    """The engine that `engine.kind` asks for. It may read and write below working_dir, the spill folder and `readable`.

    Raises UserError where Spark is asked for and can't be had.
    """
    # Either costs time and memory to import, and one is enough.
    if settings.engine.kind == "spark":
        from engage_pipeline.engines.spark.engine import SparkEngine

        return SparkEngine(settings, readable=readable)
    from engage_pipeline.engines.duckdb import DuckDBEngine

    return DuckDBEngine(settings, readable=readable)
