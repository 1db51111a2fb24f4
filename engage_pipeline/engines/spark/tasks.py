"""Runs Python functions in Spark tasks, one per part. What does not belong here: the work of a task."""

from collections.abc import Callable, Sequence

from engage_pipeline.engines.spark.session import open_session
from engage_pipeline.errors import UserError
from engage_pipeline.machine.shares import shared_limit
from engage_pipeline.settings.settings import Settings


def map_tasks(work: Callable[[Settings, str], None], keys: Sequence[str], settings: Settings) -> dict[str, str | None]:
    """Runs `work` for each of `keys` in its own task; returns the text of its UserError, or None, by key.

    `work` is a function of this package, which must be installed on the executors. Its settings use DuckDB on one
    thread with a share of engine.memory_limit. Any other error ends the job and is raised.
    """
    context = open_session(settings).sparkContext
    within = one_task(settings, min(len(keys), context.defaultParallelism))

    def attempt(key: str) -> tuple[str, str | None]:
        try:
            work(within, key)
        except UserError as error:
            return key, str(error)
        return key, None

    return dict(context.parallelize(keys, len(keys)).map(attempt).collect()) if keys else {}


def one_task(settings: Settings, tasks: int) -> Settings:
    """Returns the settings of one of `tasks` simultaneous tasks: DuckDB on one thread, its share of the memory."""
    share = shared_limit(settings.engine.memory_limit, max(1, tasks))
    engine = settings.engine.model_copy(update={"kind": "duckdb", "threads": 1, "memory_limit": share})
    return settings.model_copy(update={"engine": engine})
