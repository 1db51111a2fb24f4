"""Server processes of a test: on free ports of this machine, and stopped by their own process ids."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

DEADLINE = 120.0
"""Seconds that a process gets to become ready, or a run to end: far more than either takes."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, deadline: float = DEADLINE) -> None:
    """Returns once `condition` holds. Raises TimeoutError, naming `what` was awaited, after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not after {deadline:.0f} s")
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether a server answers a GET of `url` with success."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - http, of this machine
            return bool(response.status == 200)
    except OSError:
        return False


def graphql(url: str, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`data` of the answer of the webserver at `url` (without /graphql). Raises RuntimeError with its errors."""
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/graphql", body, headers)  # noqa: S310 - http, of this machine
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        answer: dict[str, Any] = json.load(response)
    if answer.get("errors"):
        raise RuntimeError(json.dumps(answer["errors"]))
    return dict(answer["data"])


@contextmanager
def running(
    command: Sequence[str], *, log: Path, ready: Callable[[], bool], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """`command` from when it is `ready` until the block ends; its output goes to `log`, which an error quotes.

    `options` are those of subprocess.Popen. It starts a session of its own and reacts to SIGINT and SIGTERM even where
    the shell that started the tests ignores them.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["env", "--default-signal=INT,TERM", *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        wait_until(lambda: process.poll() is not None or ready(), f"{command[0]} ready")
        if process.poll() is not None:
            raise RuntimeError(
                f"{' '.join(command)} ended: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
            )
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes], with_signal: int = signal.SIGTERM) -> None:
    """Ends the process, and what it started and left in its session."""
    if process.poll() is None:
        process.send_signal(with_signal)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
