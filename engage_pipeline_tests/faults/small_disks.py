"""Real file systems of a few megabytes, whose free space a test sets."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class SmallDisk:
    """A mounted tmpfs; the file `.ballast` takes the space that is not to be free."""

    path: Path

    def leave(self, free: int) -> None:
        """Makes so many bytes free, in whole pages."""
        ballast = self.path / ".ballast"
        ballast.unlink(missing_ok=True)
        taken = shutil.disk_usage(self.path).free // PAGE - free // PAGE
        assert taken >= 0, "the disk is too small for this test"
        if taken:
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, taken * PAGE)


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[SmallDisk]:
    """A disk of `size` bytes at the new folder `path`, until the block ends. Skips where mounting is not permitted."""
    path.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"{mounted.stderr.strip()}: `unshare -rm .venv/bin/python -m pytest` may mount without being root")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
