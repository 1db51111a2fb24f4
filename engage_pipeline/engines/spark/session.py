"""The Spark driver of this process: started at first use, stopped when the process ends.

Further settings of a deployment (memory of executors, credentials, images) belong in Spark's own spark-defaults.conf,
in the folder $SPARK_CONF_DIR.
"""

import atexit
import logging
import os
import re
import shutil
import sys
import threading
from contextlib import ExitStack
from importlib.util import find_spec
from types import MethodType
from typing import TYPE_CHECKING, Any

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.machine.shares import memory_bytes
from engage_pipeline.machine.spill import SPARK_PREFIX, spill_folder
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SQL_OPTIONS = {
    "spark.sql.ansi.enabled": "true",  # as in DuckDB: an overflow is an error, a missing list has no size
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.runSQLOnFiles": "false",  # no statement reads a file by its path
}
_THEIRS = {"pyspark", "py4j"}
"""Packages whose errors explain why Spark does not start."""
_ERROR_LOGGERS = ("DataFrameQueryContextLogger", "SQLQueryContextLogger")
"""PySpark's loggers of every error that it raises."""
_running: list["SparkSession"] = []
"""The first session of this process, if any. Spark's own active session differs by thread."""
_starting = threading.Lock()
_LOOPBACK = re.compile(r"local.*|spark://(127\.\d+\.\d+\.\d+|localhost)(:\d+)?")


def open_session(settings: Settings) -> "SparkSession":
    """Opens a new session, without tables, on the master `engine.spark_master`.

    Raises UserError: no pyspark or sqlglot, no Java, a spill folder with a comma in its name on a local master, a
    master that can't be reached, another master than the one in use by this process.
    """
    require_spark()
    master = settings.engine.spark_master
    with _starting:
        if not _running:
            _silence_error_loggers()
            try:
                _running.append(_start(settings))
            except Exception as error:
                if type(error).__module__.partition(".")[0] not in _THEIRS:
                    raise
                raise UserError(_no_start(master, error)) from error
    (session,) = _running
    if session.sparkContext.master != master:
        raise UserError(f"engine.spark_master = {master}: this process runs on {session.sparkContext.master} already")
    own = session.newSession()
    for name, value in _SQL_OPTIONS.items():
        own.conf.set(name, value)
    return own


def require_spark() -> None:
    """Raises UserError if pyspark, sqlglot or Java is missing."""
    if find_spec("pyspark") is None or find_spec("sqlglot") is None:
        raise UserError(
            "engine.kind = spark: its extra is not installed; in the checkout: pip install --editable '.[spark]'"
        )
    if not _running:
        _require_java()


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=f"{home}/bin" if home else None) is None:
        place = f"none in JAVA_HOME = {home}" if home else "no `java` on the PATH, and JAVA_HOME is not set"
        raise UserError(f"engine.kind = spark: a Java runtime (17 or newer) is needed: {place}")


def _silence_error_loggers() -> None:
    """Keeps pyspark from writing each error to stderr as JSON with the Java stack: the exception says the same.

    These loggers also give every handler added to them a JSON formatter, even a handler shared by all loggers of the
    process, which would then format this package's lines.
    """
    from pyspark.logger import PySparkLogger

    for name in _ERROR_LOGGERS:
        logger: Any = PySparkLogger.getLogger(name)
        logger.disabled = True
        logger.addHandler = MethodType(logging.Logger.addHandler, logger)


def _start(settings: Settings) -> "SparkSession":
    from pyspark.sql import SparkSession

    master = settings.engine.spark_master
    spill = spill_folder(settings)
    local = master.startswith("local")
    if local and "," in str(spill):  # a cluster's workers spill into folders of their own
        raise UserError(f"{spill}: Spark reads a comma as the end of a folder's name; set engine.temp_directory")
    stack = ExitStack()
    folder = stack.enter_context(atomic.scratch_folder(spill, SPARK_PREFIX))
    options: dict[str, bool | float | int | str | None] = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    }
    if _LOOPBACK.fullmatch(master):
        options |= {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    if local:
        memory = memory_bytes(settings.engine.memory_limit)
        options |= {"spark.driver.memory": f"{memory >> 20}m", "spark.local.dir": str(folder)}
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else executors run the first python3 of their PATH
    builder = SparkSession.builder.master(master).appName("engage_pipeline")
    with stack:
        session = builder.config(map=options).getOrCreate()
        stack.callback(session.stop)
        atexit.register(stack.pop_all().close)
    return session


def _no_start(master: str, error: Exception) -> str:
    text = str(error)
    if "stopped SparkContext" in text:
        reason = "no master answers there"  # Spark says so in its log only; the exception does not
    else:
        reason = next((line for line in text.splitlines() if "xception" in line), text).lstrip(": ")
    return f"engine.spark_master = {master}: Spark does not start: {' '.join(reason.split())[:300]}"
