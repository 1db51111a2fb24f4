"""Runs child processes, so that wall time and peak memory are those of one run alone.

Until a child executes its program, the kernel counts its parent's memory as its own, so the measuring process must stay
small.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.machine import stopping
from engage_pipeline.settings.overrides import without_settings

_ENGAGE = "from engage_pipeline.cli import main; main()"
_PREFIX = "engage: "
_SECONDS_TO_END = stopping.SECONDS_TO_END / 2
"""For a child that is told to end: after stopping.SECONDS_TO_END this process ends too, and could kill none."""


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds, and peak resident memory (MB), of one process or of several consecutive ones."""

    seconds: float
    cpu_seconds: float
    peak_mb: int

    def then(self, other: "Cost") -> "Cost":
        """Returns the cost of both, one after the other."""
        cpu_seconds = self.cpu_seconds + other.cpu_seconds
        return Cost(self.seconds + other.seconds, cpu_seconds, max(self.peak_mb, other.peak_mb))


def run_engage(arguments: Sequence[str], log: Path, *, home: Path | None = None) -> Cost:
    """Runs a command of `engage`; see run_python."""
    return run_python(["-c", _ENGAGE, *arguments], log, home=home)


def run_python(arguments: Sequence[str], log: Path, *, home: Path | None = None) -> Cost:
    """Runs Python, with `home` as DAGSTER_HOME, and appends its output to `log`.

    Variables ENGAGE__SECTION__KEY do not reach it: a run's settings are those of its own file. Raises UserError with
    the command's last line of output if it fails.
    """
    environment = without_settings(os.environ) | ({} if home is None else {"DAGSTER_HOME": str(home.resolve())})
    started = time.monotonic()
    process: subprocess.Popen[bytes] | None = None
    try:
        with log.open("ab") as output, stopping.deferred():
            process = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        if process is not None:
            _end(process)
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise UserError(f"{_last_words(log, process.returncode)} (see {log})")
    return Cost(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_SECONDS_TO_END)
    process.kill()
    process.wait()


def _last_words(log: Path, status: int) -> str:
    if status < 0:
        return f"killed by signal {-status}"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    said = [line.removeprefix(_PREFIX) for line in lines if line.startswith(_PREFIX)] or lines
    return said[-1] if said else f"exit status {status}"
