"""Server processes of a test: on free ports of this machine, and stopped by their own process ids."""

import json
import os
import secrets
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
    """A TCP port of 127.0.0.1 that nothing listens on now, below those that Linux gives to outgoing connections.

    Of the others, one that is free now may be a connection's before the server listens.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def wait_until(condition: Callable[[], bool], what: str, deadline: float = DEADLINE, every: float = 0.1) -> None:
    """Returns once `condition` holds. Raises TimeoutError, naming `what` was awaited, after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not after {deadline:.0f} s")
        time.sleep(every)


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
    command: Sequence[str],
    *,
    log: Path,
    ready: Callable[[], bool],
    stop_with: int = signal.SIGTERM,
    deadline: float = DEADLINE,
    **options: Any,
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
        wait_until(lambda: process.poll() is not None or ready(), f"{command[0]} ready", deadline)
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(command)} ended: {tail(log)}")
        yield process
    finally:
        stop(process, stop_with)


def tail(log: Path) -> str:
    """The last lines of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]


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
    wait_until(lambda: not alive_in_session(process.pid), f"the end of session {process.pid}")


def alive_in_session(session: int) -> list[int]:
    """The processes of a session that have not ended (Linux)."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, its_session = status.read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append(int(status.parent.name))
    return found
