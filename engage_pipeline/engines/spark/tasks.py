"""Python work in Spark tasks: one a part. What the work does is not known here."""

from collections.abc import Callable, Sequence

from engage_pipeline.engines.spark.session import open_session
from engage_pipeline.errors import UserError
from engage_pipeline.machine.shares import shared_limit
from engage_pipeline.settings.settings import Settings


def map_tasks(work: Callable[[Settings, str], None], keys: Sequence[str], settings: Settings) -> dict[str, str | None]:
    """Runs `work` of each of `keys` in a task of its own; by key, what a UserError of it says, None where it did well.

    `work` is a function of this package, which must be installed where the executors run. Its settings ask for DuckDB
    on one thread, with a share of engine.memory_limit. Another error than UserError ends the job and is raised.
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
    """The settings of one of so many tasks that run at once: DuckDB on one thread and its share of the memory."""
    share = shared_limit(settings.engine.memory_limit, max(1, tasks))
    engine = settings.engine.model_copy(update={"kind": "duckdb", "threads": 1, "memory_limit": share})
    return settings.model_copy(update={"engine": engine})
