"""Ends a command of `engage` at Ctrl-C (SIGINT) or SIGTERM: with one line, and status 130 or 143.

The first signal raises KeyboardInterrupt in the main thread, which removes temporary files and frees locks; whatever
libraries do with that exception, nothing more is shown. If that takes longer than SECONDS_TO_END, or at a second
signal, the process exits at once: everything is published atomically, so a killed process loses nothing else. Nothing
heavy is imported here, because this module is loaded first.
"""

import contextlib
import io
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from engage_pipeline.errors import UserError

LINE = "engage: stopped; finished work is kept, start again to continue"
SECONDS_TO_END = 3.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MOST = 4096
_reader: socket.socket | None = None
"""Holds a byte for each signal, which the interpreter writes whatever the handler is; none is ever removed."""
_terminal = 2
_WAKE = signal.SIGUSR2
_ending = threading.Lock()
_last_words: str | None = None
_deferring = False
_at_end: list[Callable[[str], None]] = []


def watch() -> None:
    """Makes this process stop as described above. Call it once, in the main thread, before anything else.

    Programs that this process starts never see SIGINT: Ctrl-C reaches all of them, but only this one handles it.
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
    """Returns the stop signals that this process received, in order."""
    if _reader is None:
        return []
    try:
        return [number for number in _reader.recv(_MOST, socket.MSG_PEEK | socket.MSG_DONTWAIT) if number in SIGNALS]
    except BlockingIOError:
        return []


def stop_if_told() -> None:
    """Raises KeyboardInterrupt if a stop signal came; call it after libraries that may swallow the exception."""
    if received():
        raise KeyboardInterrupt


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Raises KeyboardInterrupt at the end of the block if a stop signal comes inside it, so that what the block makes
    has its name by then. Only for the main thread, and for what is done at once."""
    global _deferring  # noqa: PLW0603
    _deferring = True
    try:
        yield
    finally:
        _deferring = False
        stop_if_told()


def give_up(problem: str) -> NoReturn:
    """Ends the command in the same way because of a fatal problem, with exit status 1.

    Raises UserError if signals are not watched.
    """
    global _last_words  # noqa: PLW0603
    if _reader is None:
        raise UserError(problem)
    _last_words = f"engage: {problem}"
    signal.raise_signal(signal.SIGTERM)
    raise KeyboardInterrupt


def end_if_told() -> None:
    """Ends the process with the line and the exit status if a stop signal came."""
    if signals := received():
        if not _ending.acquire(blocking=False):
            time.sleep(SECONDS_TO_END)  # the other thread is ending the process
        line = _last_words or LINE
        _say(line)
        for function in _at_end:
            with contextlib.suppress(Exception):
                function(line.removeprefix("engage: "))
        os._exit(1 if _last_words else 128 + signals[0])


def call_at_end(function: Callable[[str], None]) -> None:
    """Calls `function` with what is said when a stop signal ends the process. It has to be quick."""
    _at_end.append(function)


def ignore() -> None:
    """Lets the signals end the process silently: its work is done."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hides both signals from processes started inside the block: they end with the process that started them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _raise_once(number: int, frame: FrameType | None) -> None:
    deadline = time.monotonic() + 1
    while not received() and time.monotonic() < deadline:  # the thread that received it is about to write its byte
        time.sleep(0.001)
    if len(received()) < 2 and not _deferring:
        raise KeyboardInterrupt


def _end_in_time(reader: socket.socket, listened: list[signal.Signals]) -> None:
    """Receives the signals for the main thread, and ends the process if that thread does not: it may be inside a
    native call, or have lost the exception."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, listened)
    while not received():
        reader.recv(1, socket.MSG_PEEK)
    signal.pthread_kill(threading.main_thread().ident or 0, _WAKE)  # interrupts a blocking system call
    deadline = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < deadline and len(received()) < 2:
        time.sleep(0.02)
    end_if_told()


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(_terminal, f"{line}\n".encode())


class _Hushed(io.TextIOWrapper):
    """Standard error that shows nothing after a stop signal: traces of the interruption are of no use."""

    def write(self, text: str, /) -> int:
        return len(text) if received() else super().write(text)
