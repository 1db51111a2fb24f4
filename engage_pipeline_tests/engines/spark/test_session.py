"""What Spark needs is missing: one clear line. How much memory it gets."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.engines.opening import open_engine
from engage_pipeline.engines.spark.tasks import one_task
from engage_pipeline_tests.engines.spark.helpers import MASTER, spark_settings
from engage_pipeline_tests.programs import require_program

NO_JAVA = "engine.kind = spark: a Java runtime (17 or newer) is needed"
OPEN = """
import sys
from pathlib import Path
from engage_pipeline.errors import UserError
from engage_pipeline_tests.engines.spark.helpers import spark_settings
from engage_pipeline.engines.opening import open_engine
for name in sys.argv[2:]:
    sys.modules[name] = None
try:
    open_engine(spark_settings(Path(sys.argv[1])))
except UserError as error:
    print(error)
"""

LINES = """
import logging, sys
from pathlib import Path
from engage_pipeline.commands import app
from engage_pipeline.engines.opening import open_engine
from engage_pipeline.progress import LOGGER
from engage_pipeline_tests.engines.spark.helpers import spark_settings
app._show_log_lines()
everywhere = logging.StreamHandler(sys.stdout)  # on every logger that keeps its lines to itself, as pytest has one
everywhere.setFormatter(logging.Formatter("everywhere: %(message)s"))
with open_engine(spark_settings(Path(sys.argv[1]))) as engine:
    for attempt in range(2):
        for statement in ("SELECT of FROM nothing", "SELECT raise_error('thrown')"):
            try:
                engine._session.sql(statement).collect()
            except Exception as error:
                print("raised", type(error).__name__)
        loggers = [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]
        for logger in [LOGGER, *(one for one in loggers if not one.propagate)]:
            logger.addHandler(everywhere)
        LOGGER.info("ours %d", attempt)
"""


def opened(folder: Path, *missing: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A process that opens Spark without some modules, and prints its UserError."""
    kept = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"}
    return subprocess.run(
        [sys.executable, "-c", OPEN, str(folder), *missing],
        env=kept | {"PYTHONPATH": str(Path(__file__).parents[3])} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("missing", "environment", "line"),
    [
        (
            ["pyspark"],
            {},
            "engine.kind = spark: its extra is not installed; in the checkout: pip install --editable '.[spark]'",
        ),
        (
            ["sqlglot"],
            {},
            "engine.kind = spark: its extra is not installed; in the checkout: pip install --editable '.[spark]'",
        ),
        (
            [],
            {"PATH": "/nowhere"},
            f"{NO_JAVA}: no `java` on the PATH, and JAVA_HOME is not set",
        ),
        (
            [],
            {"JAVA_HOME": "/nowhere"},
            f"{NO_JAVA}: none in JAVA_HOME = /nowhere",
        ),
    ],
)
def test_what_is_missing_is_one_clear_line(
    tmp_path: Path, missing: list[str], environment: dict[str, str], line: str
) -> None:
    done = opened(tmp_path, *missing, **environment)
    assert (done.stdout.strip(), done.stderr) == (line, "")


def test_a_java_that_fails_is_one_clear_line(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho no such version >&2\nexit 1\n")
    java.chmod(0o755)
    done = opened(tmp_path, JAVA_HOME=str(tmp_path))
    assert done.stdout.startswith(f"engine.spark_master = {MASTER}: Spark does not start: [JAVA_GATEWAY_EXITED]")
    assert done.stdout.count("\n") == 1
    assert not list((tmp_path / ".spill").glob("spark_temp_*"))


def test_a_comma_in_the_spill_folder_is_one_clear_line(tmp_path: Path) -> None:
    require_program("java")
    """Spark would spill into folders named by what stands on either side of it, the second below the current one."""
    folder = tmp_path / "a,b"
    done = opened(folder)
    line = f"{folder}/.spill: Spark reads a comma as the end of a folder's name; set engine.temp_directory"
    assert (done.stdout.strip(), done.stderr) == (line, "")
    assert not list(tmp_path.iterdir())


def test_nothing_of_spark_is_imported_for_duckdb(tmp_path: Path) -> None:
    code = OPEN.replace("spark_settings(", "tiny_settings(").replace(
        "tests.engines.spark.helpers import spark", "tests.samples import tiny"
    )
    code += "print([name for name in ('pyspark', 'sqlglot') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_log_lines_stay_ours_after_spark_has_failed(tmp_path: Path) -> None:
    require_program("java")
    """PySpark logs what it raises, as JSON, by loggers that give their formatter to every handler they get."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", LINES, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    raised = ["raised AnalysisException", "raised SparkRuntimeException"]
    assert done.stdout.splitlines() == [*raised, "everywhere: ours 0", *raised, "everywhere: ours 1"]
    ours = [line for line in done.stderr.splitlines() if "ours" in line]
    assert [re.fullmatch(r"\d\d:\d\d:\d\d ours (\d)", line)[1] for line in ours] == ["0", "1"]
    assert [line[:80] for line in done.stderr.splitlines() if line.startswith("{")] == []


@pytest.mark.parametrize(("limit", "share"), [("70%", "17.5000%"), ("1GB", "0.2500GB")])
def test_tasks_share_the_memory(tmp_path: Path, limit: str, share: str) -> None:
    settings = one_task(spark_settings(tmp_path, engine={"kind": "spark", "memory_limit": limit}), 4)
    assert (settings.engine.kind, settings.engine.threads, settings.engine.memory_limit) == ("duckdb", 1, share)
    with open_engine(settings):
        pass
