"""Spark as the tests use it: two cores of this machine, its own small configuration."""

import os
from pathlib import Path

from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.samples import tiny_settings

CONF = Path(__file__).parent / "conf"
MASTER = "local[2]"
# Read when Spark starts, which happens once a process.
os.environ["SPARK_CONF_DIR"] = str(CONF)


def spark_settings(folder: Path, **values: object) -> Settings:
    """`tiny_settings` with Spark as the engine."""
    engine = {"kind": "spark", "spark_master": MASTER, "threads": 2, "memory_limit": "1GB"}
    return tiny_settings(folder, **{"engine": engine, **values})
