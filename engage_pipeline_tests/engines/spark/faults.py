"""Drives `engage run` on a cluster on which functions of tasks meet a fault once each, after their work.

    python -m engage_pipeline_tests.engines.spark.faults FOLDER FAULT=MODULE:FUNCTION… -- run --target NAME

What does not belong here: what must come of it (test_cluster).
"""

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any


def kill_executor() -> None:
    """Kills the executor that runs this task: its Java process, then this one."""
    daemon = os.getppid()
    java = int(Path(f"/proc/{daemon}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    os.kill(java, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    """Raises OSError."""
    raise OSError("a task that fails once")


FAULTS = {"killed": kill_executor, "failed": fail}


def after_the_first(folder: Path, fault: str, module: str, name: str, *arguments: Any) -> Any:
    """Calls the function in an executor; the first call of all meets the fault before its result is known."""
    result = getattr(import_module(module), name)(*arguments)
    try:
        (folder / f"{fault}-{module}.{name}").touch(exist_ok=False)
    except FileExistsError:
        return result
    FAULTS[fault]()
    return result


def main(arguments: Sequence[str]) -> None:
    folder, *rest = arguments
    end = rest.index("--")
    for fault, _, place in (one.partition("=") for one in rest[:end]):
        module, name = place.split(":")
        setattr(import_module(module), name, partial(after_the_first, Path(folder), fault, module, name))
    sys.argv[1:] = rest[end + 1 :]
    from engage_pipeline.cli import main as engage

    engage()


if __name__ == "__main__":
    main(sys.argv[1:])
