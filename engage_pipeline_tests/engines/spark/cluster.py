"""A Spark standalone cluster of several processes on this machine: a master and two workers, on loopback only."""

import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engage_pipeline_tests import servers
from engage_pipeline_tests.engines.spark.helpers import CONF

REPOSITORY = Path(__file__).parents[3]
STARTED = re.compile(r"Starting Spark master at (spark://127\.0\.0\.1:[1-9]\d*)")
REGISTERED = re.compile(r"Successfully registered with master")


@dataclass(frozen=True)
class Cluster:
    """The master's address and a folder for each worker, in which its executors run."""

    master: str
    workers: list[Path]


@contextmanager
def standalone_cluster(folder: Path) -> Iterator[Cluster]:
    """Starts it from what pyspark brings along; it is gone, executors included, at the end."""
    with ExitStack() as stack:
        stack.enter_context(_daemon(folder / "master", "master.Master", STARTED))
        found = STARTED.search((folder / "master" / "log").read_text(encoding="utf-8"))
        assert found
        workers = [folder / f"worker-{number}" for number in range(2)]
        for work in workers:
            limits = ["--cores", "1", "--memory", "600m", "--work-dir", str(work)]
            stack.enter_context(_daemon(work, "worker.Worker", REGISTERED, *limits, found.group(1)))
        yield Cluster(found.group(1), workers)


def _daemon(folder: Path, name: str, ready: re.Pattern[str], *arguments: str) -> AbstractContextManager[Any]:
    """One of Spark's daemons, from when its log says that it is `ready`."""
    home = Path(str(importlib.util.find_spec("pyspark").origin)).parent  # type: ignore[union-attr]
    folder.mkdir()
    log = folder / "log"
    environment = {
        **os.environ,
        "SPARK_CONF_DIR": str(CONF),
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
        "SPARK_DAEMON_MEMORY": "128m",
        "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "PYTHONPATH": str(REPOSITORY),
    }
    place = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
    return servers.running(
        [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *place, *arguments],
        log=log,
        ready=lambda: ready.search(log.read_text(encoding="utf-8", errors="replace")) is not None,
        cwd=folder,
        env=environment,
    )
