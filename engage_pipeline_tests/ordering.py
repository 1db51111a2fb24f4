"""The order in which tests run, and on which worker.

The longest come first, or a random order finds tests that depend on their neighbours.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from xdist.scheduler import LoadFileScheduling

_T = TypeVar("_T")
LONGEST_FIRST = (
    "e2e/",
    "engines/spark/",
    "faults/test_killed_assets.py",
    "deploy/",
    "comparison/",
    "test_pipeline.py",
    "settings/test_settings_have_effect.py",
    "model/promotion/test_promotion_runs.py",
    "faults/",
    "orchestration/",
    "ingest/",
    "language/",
)
"""Files that would hold back the end of a parallel run if they came last. e2e waits more than it works."""
STORIES = ("e2e/", "deploy/test_postgres.py")
"""What one `dagster dev` or one Postgres server goes through, chapter by chapter: kept in the order of the files."""
TOGETHER = ("e2e", "engines/spark")
"""Folders whose tests share a `dagster dev` or a Spark driver, which each worker would start anew."""


def longest_first(items: Sequence[pytest.Item], base: Path) -> list[pytest.Item]:
    """The files below `base` in the order of LONGEST_FIRST, each in its own order."""

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(base).as_posix()
        return next((index for index, start in enumerate(LONGEST_FIRST) if name.startswith(start)), len(LONGEST_FIRST))

    return sorted(items, key=place)


def in_random_order(items: Iterable[pytest.Item], seed: int) -> list[pytest.Item]:
    """Folders in random order, in each the files, in each the tests, so that fixtures of a module are made once.

    Tests marked `last` stay behind the others of their file, and STORIES in their own order.
    """
    draw = random.Random(seed)

    def shuffled(things: Iterable[_T]) -> list[_T]:
        listed = list(things)
        return draw.sample(listed, len(listed))

    folders: dict[Path, dict[Path, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    stories: list[pytest.Item] = []
    base = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(base) and item.path.relative_to(base).as_posix().startswith(STORIES):
            stories.append(item)
        else:
            folders[item.path.parent][item.path].append(item)
    tests = [shuffled(folders[folder][path]) for folder in shuffled(folders) for path in shuffled(folders[folder])]
    last = [sorted(one, key=lambda item: item.get_closest_marker("last") is not None) for one in tests]
    return stories + [item for one in last for item in one]


class FolderScheduling(LoadFileScheduling):
    """Files are distributed over the workers, those of a folder of TOGETHER all to one.

    Those of e2e wait more than they work: on a worker each, all workers would wait at once.
    """

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if f"/{folder}/" in f"/{scope}"), scope)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """With `--dist loadfile`: FolderScheduling."""
    return FolderScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
