"""Runs a function in several processes of this machine at once, and ends all of them if one fails.

Each process is spawned (not forked: threads of torch, DuckDB and Arrow don't survive a fork). It ends with its work, or
with its parent, however the parent ends: Ctrl-C and SIGTERM reach only the parent. What does not belong here: the work.
"""

import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from logging.handlers import QueueHandler
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from engage_pipeline import progress
from engage_pipeline.errors import UserError
from engage_pipeline.machine import garbage, stopping

LOGGER = logging.getLogger("engage_pipeline")
_T = TypeVar("_T")
_SECONDS_TO_END = 5.0
"""Time for the other processes to end by themselves after one has failed: theirs may be the better error."""


def run_in_processes(what: str, function: Callable[..., _T], arguments: Sequence[tuple[Any, ...]]) -> list[_T]:
    """Calls `function(*arguments[i])` for every i at once, each in its own process; returns the results in order.

    Function, arguments and results are pickled, so the function must be a module's. Log lines are relayed to this
    process. If one fails or is killed, all others are ended. Raises UserError naming `what` if one was killed, else the
    function's error; a UserError takes precedence over others.
    """
    context = get_context("spawn")
    processes: list[SpawnProcess] = []
    receivers: dict[connection.Connection, int] = {}
    givers: list[connection.Connection] = []
    try:
        for place in range(len(arguments)):
            receiver, sender = context.Pipe(duplex=False)
            taker, giver = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(sender, taker), name=f"{what} {place + 1}")
            with stopping.held_back():
                process.start()
            sender.close()  # so that the end of the process ends the pipes
            taker.close()
            processes.append(process)
            receivers[receiver] = place
            givers.append(giver)
        for giver, values in zip(givers, arguments, strict=True):
            # Not with the start: what does not fit into its pipe would wait for a process that died for ever.
            with suppress(BrokenPipeError):  # it died: _gather says so
                giver.send((function, values))
        return _gather(what, processes, receivers)
    finally:
        for process in processes:
            process.kill()
            process.join()
        for end in (*receivers, *givers):
            end.close()


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
    hint = "; the kernel does so when memory is short" if code == -signal.SIGKILL else ""
    return UserError(f"{what}: process {place + 1} of {len(processes)} {how}{hint}: start it again")


def _work(sender: connection.Connection, taker: connection.Connection) -> None:
    """Takes function and arguments, does the work of one process, and sends its result or error."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lock = threading.Lock()

    def send(kind: str, value: Any) -> None:
        with lock:
            sender.send((kind, value))

    _relay_log_lines(lambda record: send("log", record))
    progress.show_lines_only()
    garbage.seek_rarely()
    try:
        function, values = taker.recv()
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
    """Returns the error itself if it survives pickling, which a library's own may not; else a RuntimeError."""
    if isinstance(error, UserError | OSError):
        return error
    told = RuntimeError(f"{type(error).__name__}: {error}")
    told.add_note("".join(traceback.format_exception(error)))
    return told
