"""What a process and all that it starts take: CPU, memory, spilled bytes (Linux, by /proc); and its environment."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engage_pipeline_tests import servers

_A_LOOK = 0.2
"""Seconds between two looks at a process."""


def with_bytecode() -> dict[str, str]:
    """The environment, in which Python keeps what it compiles, as it does for users: else each start compiles anew."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass
class Watched:
    """What a process and all that it started took, looked at five times a second."""

    session: int
    spill: Path
    cpu_of: dict[int, float] = field(default_factory=dict)
    peak_mb: int = 0
    own_peak_mb: int = 0
    unmapped_peak_mb: int = 0
    spilled: int = 0

    def look(self) -> None:
        """Adds what is seen now: seconds of CPU by process, resident memory of the first process (on Spark the Python
        driver) and of all together, with and without what files back, and spilled bytes.
        """
        resident = unmapped = 0
        for pid in servers.alive_in_session(self.session):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                pages = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()
            except OSError:
                continue
            self.cpu_of[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            unmapped += (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
            if pid == self.session:
                self.own_peak_mb = max(self.own_peak_mb, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 2**20)
        self.peak_mb = max(self.peak_mb, resident // 2**20)
        self.unmapped_peak_mb = max(self.unmapped_peak_mb, unmapped // 2**20)
        self.spilled = max(self.spilled, bytes_below(self.spill))


def bytes_below(folder: Path) -> int:
    """Of all files below `folder`, which may go meanwhile."""
    found = 0
    for parent, _, names in os.walk(folder):  # passes over folders that go meanwhile
        for name in names:
            with suppress(OSError):
                found += Path(parent, name).lstat().st_size
    return found


def watch(command: Sequence[str], environment: Mapping[str, str], spill: Path) -> tuple[Watched, float]:
    """Runs the command to its end; what it took, and seconds of wall. Its output goes to standard error.

    Raises CalledProcessError where it fails.
    """
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=2, start_new_session=True)
    seen = Watched(process.pid, spill)
    while process.poll() is None:
        seen.look()
        time.sleep(_A_LOOK)
    wall = time.monotonic() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seen, wall
