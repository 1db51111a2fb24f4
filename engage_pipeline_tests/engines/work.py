"""Work for test_tasks: functions that processes and Spark's tasks can import."""

import os
from pathlib import Path

import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings


def square(_: Settings, number: int) -> int:
    """The square; odd numbers above 10 are a user's error."""
    if number > 10 and number % 2:
        raise UserError(f"{number} is odd")
    return number * number


def fail_at_three(_: Settings, number: int) -> int:
    """Raises ValueError at 3."""
    if number == 3:
        raise ValueError("three is a bug")
    return number


def share(settings: Settings, _: int) -> tuple[str, int | None, str, int]:
    """What of the engine's settings an item gets, and the process."""
    engine = settings.engine
    return engine.kind, engine.threads, engine.memory_limit, os.getpid()


def write(_: Settings, path: Path) -> None:
    """Writes the name of the file into it."""
    path.write_text(path.name, encoding="utf-8")


def allocator_of_arrow(_: Settings, number: int) -> str:
    """The name of the memory pool that Arrow uses."""
    return pa.default_memory_pool().backend_name
