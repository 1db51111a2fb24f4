"""Runs the items of a piece of work: one after the other, in processes of this machine, or in tasks of Spark.

What does not belong here: the work, which writes its results to files that all machines see.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TypeVar

from engage_pipeline.errors import UserError
from engage_pipeline.machine.memory import arrow_on_malloc
from engage_pipeline.machine.shares import memory_bytes, settings_of_one, threads_of
from engage_pipeline.machine.workers import run_in_processes
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings

_Item = TypeVar("_Item")
_T = TypeVar("_T")
LEAST_MEMORY = 512_000_000
"""Bytes of engine.memory_limit for each process: fewer processes start if there is less."""
LEAST_ROWS = 400_000
"""Rows of each process where engine.processes is null: with fewer, starting one takes longer than it saves."""
Work = Callable[[Settings, _Item], _T]
"""A function of a module of this package; its items and results are pickled, so they must be small."""


def attempt_items(
    what: str,
    work: Work[_Item, _T],
    items: Sequence[_Item],
    settings: Settings,
    rows: Sequence[int] | None = None,
    all_rows: int = 0,
) -> list[_T | UserError]:
    """Calls `work(settings, item)` for each item; returns its result or its UserError, in the order of `items`.

    The settings that `work` gets have a share of the threads and of engine.memory_limit, and DuckDB as the engine.
    `what` and the `rows` of the items are for the progress; None = the work shows its own, and there are about
    `all_rows`. Any other error ends all and is raised.
    """
    if not items:
        return []
    if settings.engine.kind == "spark":
        from engage_pipeline.engines.spark.tasks import map_tasks

        return map_tasks(work, items, settings)
    processes = min(_processes(settings, sum(rows) if rows else all_rows), len(items))
    if processes == 1:
        return _attempt(what, work, items, settings, rows)
    shares = [slice(place, None, processes) for place in range(processes)]
    within = settings_of_one(settings, processes, max(1, threads_of(settings) // processes))
    found = run_in_processes(
        what, _attempt, [(what, work, items[share], within, rows and rows[share]) for share in shares]
    )
    results: list[_T | UserError] = [UserError("")] * len(items)
    for share, part in zip(shares, found, strict=True):
        results[share] = part
    return results


def map_items(
    what: str, work: Work[_Item, _T], items: Sequence[_Item], settings: Settings, rows: Sequence[int] | None = None
) -> list[_T]:
    """Does the same, but raises the first UserError."""
    found = attempt_items(what, work, items, settings, rows)
    for result in found:
        if isinstance(result, UserError):
            raise result
    return found  # type: ignore[return-value]


def _processes(settings: Settings, rows: int) -> int:
    """As many as the settings, the memory and the rows allow, at least one."""
    wanted = settings.engine.processes or min(threads_of(settings), rows // LEAST_ROWS)
    return max(1, min(wanted, memory_bytes(settings.engine.memory_limit) // LEAST_MEMORY))


def _attempt(
    what: str, work: Work[_Item, _T], items: Sequence[_Item], settings: Settings, rows: Sequence[int] | None = None
) -> list[_T | UserError]:
    results: list[_T | UserError] = []
    with arrow_on_malloc(), progress(what, sum(rows), "rows") if rows else nullcontext() as done:
        for place, item in enumerate(items):
            try:
                results.append(work(settings, item))
            except UserError as error:
                results.append(error)
            if done and rows:
                done.advance(rows[place])
    return results
