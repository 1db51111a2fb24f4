"""Work that several processes of this machine do at once, and what becomes of it when one of them dies.

Each process is started anew (not forked: threads of torch, DuckDB and Arrow don't survive a fork) and ends with its
work, or with the process that started it, however that ended: Ctrl-C and SIGTERM reach that one alone. What does not
belong here: what they work on.
"""

import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from logging.handlers import QueueHandler
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from engage_pipeline import progress
from engage_pipeline.errors import UserError
from engage_pipeline.machine import stopping

LOGGER = logging.getLogger("engage_pipeline")
_T = TypeVar("_T")
_SECONDS_TO_END = 5.0
"""What a process gets to end by itself once another one has failed: time to say why, if that is the better reason."""


def run_in_processes(what: str, function: Callable[..., _T], arguments: Sequence[tuple[Any, ...]]) -> list[_T]:
    """Calls `function(*arguments[i])` for every i at once, each in a process of its own; returns what they return.

    Function, arguments and results are pickled; the function is one of a module. Their log lines become ours. Where one
    fails or is killed, all others are ended: raises UserError naming `what` where one was killed, else what the
    function raised, a UserError before anything else.
    """
    context = get_context("spawn")
    processes: list[SpawnProcess] = []
    receivers: dict[connection.Connection, int] = {}
    try:
        for place, values in enumerate(arguments):
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(sender, function, values), name=f"{what} {place + 1}")
            with stopping.held_back():
                process.start()
            sender.close()  # so that the end of the process ends the pipe
            processes.append(process)
            receivers[receiver] = place
        return _gather(what, processes, receivers)
    finally:
        for process in processes:
            process.kill()
            process.join()
        for receiver in receivers:
            receiver.close()


def _gather(what: str, processes: Sequence[SpawnProcess], receivers: dict[connection.Connection, int]) -> list[Any]:
    results: dict[int, Any] = {}
    errors: dict[int, BaseException] = {}
    listened = dict(receivers)
    deadline: float | None = None
    while listened and (deadline is None or time.monotonic() < deadline):
        ready = connection.wait(list(listened), timeout=_SECONDS_TO_END if errors else None)
        for receiver in [each for each in listened if each in ready]:
            place = listened[receiver]
            try:
                kind, value = receiver.recv()
            except EOFError:
                del listened[receiver]
                if place not in results and place not in errors:
                    errors[place] = _death(what, place, processes)
                continue
            if kind == "log":
                LOGGER.handle(value)
            else:
                (results if kind == "result" else errors)[place] = value
        if errors and deadline is None:
            deadline = time.monotonic() + _SECONDS_TO_END
    if errors:
        raise min(errors.values(), key=lambda error: not isinstance(error, UserError))
    return [results[place] for place in range(len(processes))]


def _death(what: str, place: int, processes: Sequence[SpawnProcess]) -> UserError:
    process = processes[place]
    process.join()
    code = process.exitcode or 0
    how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended with status {code}"
    hint = "; the kernel does so where memory is short" if code == -signal.SIGKILL else ""
    return UserError(f"{what}: process {place + 1} of {len(processes)} {how}{hint}: start it again")


def _work(sender: connection.Connection, function: Callable[..., Any], values: tuple[Any, ...]) -> None:
    """What a process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lock = threading.Lock()

    def send(kind: str, value: Any) -> None:
        with lock:
            sender.send((kind, value))

    _relay_log_lines(lambda record: send("log", record))
    progress.show_lines_only()
    try:
        result = function(*values)
    except BaseException as error:
        send("error", _sendable(error))
    else:
        send("result", result)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
    os._exit(1)


def _relay_log_lines(send: Callable[[logging.LogRecord], None]) -> None:
    class Relay(QueueHandler):
        def enqueue(self, record: logging.LogRecord) -> None:
            send(record)

    LOGGER.addHandler(Relay(None))  # type: ignore[arg-type]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def _sendable(error: BaseException) -> BaseException:
    """The error itself where it survives pickling: a library's own may not."""
    if isinstance(error, UserError | OSError):
        return error
    told = RuntimeError(f"{type(error).__name__}: {error}")
    told.add_note("".join(traceback.format_exception(error)))
    return told
