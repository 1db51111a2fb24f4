"""How a command of `engage` ends when it is told to stop: Ctrl-C (SIGINT) or SIGTERM; one line, status 130 or 143.

The first signal is raised in the main thread as KeyboardInterrupt, so that temporary files go and locks are freed;
whatever libraries make of that exception, nothing more is shown. Where that takes longer than SECONDS_TO_END, or at a
second signal, the process ends as it is: everything is published atomically, so a killed process loses nothing else.
Nothing heavy is imported here, because it is loaded before everything else.
"""

import contextlib
import io
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from engage_pipeline.errors import UserError

LINE = "engage: stopped; what is finished stays, start again"
SECONDS_TO_END = 3.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MOST = 4096
_reader: socket.socket | None = None
"""Holds a byte for each signal, written by the interpreter whatever handler is set, and never taken out."""
_terminal = 2
_WAKE = signal.SIGUSR2
_ending = threading.Lock()
_last_words: str | None = None


def watch() -> None:
    """From now on this process stops as said above. Call it once, in the main thread, first of all.

    Programs that this process starts never see SIGINT: Ctrl-C goes to all of them, and is this one's to handle.
    """
    global _reader, _terminal  # noqa: PLW0603
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # in the background of a script
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    _reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    if sys.stderr is not None:
        _terminal = os.dup(2)  # Dagster redirects the descriptor itself
        sys.stderr = _Hushed(sys.stderr.buffer, sys.stderr.encoding, "backslashreplace", line_buffering=True)
    for number in SIGNALS:
        signal.signal(number, _raise_once)
    signal.signal(_WAKE, lambda number, frame: None)
    listened = [number for number in SIGNALS if not (ignored and number == signal.SIGINT)]
    threading.Thread(target=_end_in_time, args=[_reader, listened], name="stopping", daemon=True).start()


def received() -> list[int]:
    """The signals to stop that this process was sent, in order."""
    if _reader is None:
        return []
    try:
        return [number for number in _reader.recv(_MOST, socket.MSG_PEEK | socket.MSG_DONTWAIT) if number in SIGNALS]
    except BlockingIOError:
        return []


def stop_if_told() -> None:
    """Raises KeyboardInterrupt where a signal came: for the place behind a library that may have swallowed it."""
    if received():
        raise KeyboardInterrupt


def give_up(problem: str) -> NoReturn:
    """Ends the command in the same way, with a problem that leaves nothing else to do, and exit status 1.

    Raises UserError where no signals are watched.
    """
    global _last_words  # noqa: PLW0603
    if _reader is None:
        raise UserError(problem)
    _last_words = f"engage: {problem}"
    signal.raise_signal(signal.SIGTERM)
    raise KeyboardInterrupt


def end_if_told() -> None:
    """Ends the process with the line and the exit status, where a signal came."""
    if signals := received():
        if not _ending.acquire(blocking=False):
            time.sleep(SECONDS_TO_END)  # the other thread is at it
        _say(_last_words or LINE)
        os._exit(1 if _last_words else 128 + signals[0])


def ignore() -> None:
    """From now on the signals end the process silently: its work is done."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Processes started inside the block see neither signal: they end with the process that started them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _raise_once(number: int, frame: FrameType | None) -> None:
    if len(received()) < 2:
        raise KeyboardInterrupt


def _end_in_time(reader: socket.socket, listened: list[signal.Signals]) -> None:
    """Receives the signals for the main thread, and ends the process where that does not: it may be inside a native
    call, or have lost the exception."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, listened)
    while not received():
        reader.recv(1, socket.MSG_PEEK)
    signal.pthread_kill(threading.main_thread().ident or 0, _WAKE)  # out of a system call that waits
    deadline = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < deadline and len(received()) < 2:
        time.sleep(0.02)
    end_if_told()


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(_terminal, f"{line}\n".encode())


class _Hushed(io.TextIOWrapper):
    """Standard error, which shows nothing after a signal: traces of what the exception did on its way are no news."""

    def write(self, text: str, /) -> int:
        return len(text) if received() else super().write(text)
