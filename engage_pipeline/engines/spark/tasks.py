"""Runs Python functions in Spark tasks, one per item. What does not belong here: the work of a task."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from engage_pipeline.engines.spark.session import open_session
from engage_pipeline.errors import UserError
from engage_pipeline.machine.memory import arrow_on_malloc
from engage_pipeline.machine.shares import shared_limit
from engage_pipeline.settings.settings import Settings

_Item = TypeVar("_Item")
_T = TypeVar("_T")


def map_tasks(
    work: Callable[[Settings, _Item], _T], items: Sequence[_Item], settings: Settings
) -> list[_T | UserError]:
    """Runs `work` for each item in its own task; returns its result or its UserError, in order.

    `work` is a function of this package, which must be installed on the executors. Its settings use DuckDB on one
    thread with a share of engine.memory_limit. Spark tries a task again whose executor died; any other error ends the
    job and is raised.
    """
    context = open_session(settings).sparkContext
    within = one_task(settings, min(len(items), context.defaultParallelism))

    def attempt(item: _Item) -> _T | UserError:
        try:
            with arrow_on_malloc():
                return work(within, item)
        except UserError as error:
            return error

    return list(context.parallelize(items, len(items)).map(attempt).collect())


def one_task(settings: Settings, tasks: int) -> Settings:
    """Returns the settings of one of `tasks` simultaneous tasks: DuckDB on one thread, its share of the memory."""
    share = shared_limit(settings.engine.memory_limit, max(1, tasks))
    engine = settings.engine.model_copy(update={"kind": "duckdb", "threads": 1, "memory_limit": share, "processes": 1})
    return settings.model_copy(update={"engine": engine})
