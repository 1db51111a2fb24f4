"""Fixtures that several test modules share, and the order of the files."""

import fcntl
import shutil
from pathlib import Path

import hypothesis
import pytest

from engage_pipeline_tests import worlds

# How long an example takes is the machine's matter.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

LONGEST_FIRST = ("e2e/", "spark/", "deploy/", "test_pipeline.py", "faults/", "automation/", "ingest/", "language/")
"""Files that would hold back the end of a parallel run if they came last. e2e waits more than it works."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first, each file in its own order."""
    base = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(base).as_posix()
        return next((index for index, start in enumerate(LONGEST_FIRST) if name.startswith(start)), len(LONGEST_FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def finished_world(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Folder of a tiny world after a whole run, one for all workers. Copy it (`world`) before changing anything."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "finished-world"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "world"
        if not (shared / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            worlds.run(worlds.make_world(folder))
            (shared / "made").touch()
    return folder


@pytest.fixture
def world(finished_world: Path, tmp_path: Path) -> Path:
    """A copy of the finished world of the test's own; its raw parts are the same files at another place."""
    folder = tmp_path / "world"
    worlds.copy_world(finished_world, folder)
    return folder


@pytest.fixture(scope="session")
def ingested_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny world whose three training parts are ingested. Copy it (`ingested`) before changing anything."""
    folder = tmp_path_factory.mktemp("ingested")
    worlds.run(worlds.make_world(folder), "tweet_parts")
    return folder


@pytest.fixture
def ingested(ingested_world: Path, tmp_path: Path) -> Path:
    """The configuration of a world whose three parts are ingested; the test's own copy."""
    worlds.copy_world(ingested_world, tmp_path / "world")
    return tmp_path / "world" / "config.yaml"
