"""pytest in a process of its own over a copy of the sources, without the seconds that imports of libraries take.

Processes are forked from a server that may have imported the libraries, and nothing of ours: what is tested is
imported anew in each. Nothing of the project may be imported here.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

_LIBRARIES = (
    *("pytest", "hypothesis", "xdist", "numpy", "pyarrow", "pyarrow.parquet", "pyarrow.compute", "pyarrow.csv"),
    *("duckdb", "pydantic", "yaml", "dagster", "scipy.sparse", "scipy.optimize", "sklearn.metrics", "lightgbm"),
    *("torch", "transformers", "accelerate", "safetensors"),
)
_CONTEXT = multiprocessing.get_context("forkserver")
_OPTIONS = ("-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=line")


def preload_libraries() -> None:
    """Has the server, which starts with the first run, import the libraries: 10 seconds, for 2 seconds a run."""
    _CONTEXT.set_forkserver_preload(list(_LIBRARIES))


def run_tests(scratch: Path, tests: Sequence[str], seconds: float) -> tuple[int | None, str]:
    """The exit status of pytest over the copy `scratch` (None = ended after `seconds`), and what it printed."""
    output = scratch.with_name(f"{scratch.name}.txt")
    process = _CONTEXT.Process(target=_pytest, args=(str(scratch), str(output), list(tests)))
    process.start()
    process.join(seconds)
    status = process.exitcode
    _end(process)
    return status, output.read_text(encoding="utf-8", errors="replace") if output.is_file() else ""


def _pytest(scratch: str, output: str, tests: Sequence[str]) -> None:
    os.setsid()
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for name in [
        name for name in sys.modules if name.partition(".")[0] in {"engage_pipeline", "engage_pipeline_tests"}
    ]:
        del sys.modules[name]
    os.chdir(scratch)
    os.environ["PYTHONPATH"] = scratch
    sys.path[:] = [scratch, *(path for path in sys.path if path)]
    import pytest

    sys.exit(int(pytest.main([*_OPTIONS, *tests])))


def _end(process: BaseProcess) -> None:
    """Ends the process if it runs still, and whatever it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()
