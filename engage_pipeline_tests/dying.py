"""Processes that are killed at a moment of their own work, so that no test has to wait for that moment.

A moment is a file event that Python announces before it happens ("open", "os.mkdir", "os.rename") and its path.
"""

import os
import signal
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any


def kill_before(event: str, pattern: str, times: int = 1, victim: Callable[[], int] = os.getpid) -> None:
    """Makes this process send SIGKILL to `victim()` before the event happens to a path of `pattern` for the n-th time.

    `pattern` is one of fnmatch's, for the whole path; of a renaming it is the old path or the new one.
    """
    seen = 0

    def look(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if name == event and any(fnmatchcase(str(argument), pattern) for argument in arguments[:2]):
            seen += 1
            if seen == times:
                os.kill(victim(), signal.SIGKILL)

    sys.addaudithook(look)


def dying_engage(event: str, pattern: str, *arguments: str) -> list[str]:
    """The command `engage` with `arguments`, killed before the first such event."""
    code = f"from {__name__} import kill_before; kill_before({event!r}, {pattern!r}); "
    return [sys.executable, "-c", f"{code}from engage_pipeline.cli import main; main()", *arguments]
