"""Fixtures that several test modules share."""

import shutil
from pathlib import Path

import pytest

from engage_pipeline_tests import worlds


@pytest.fixture(scope="session")
def finished_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny world after a whole run. Shared: copy it (`world`) before changing anything."""
    folder = tmp_path_factory.mktemp("finished")
    worlds.run(worlds.make_world(folder))
    return folder


@pytest.fixture
def world(finished_world: Path, tmp_path: Path) -> Path:
    """A copy of the finished world of the test's own; its raw parts are the same files at another place."""
    folder = tmp_path / "world"
    shutil.copytree(finished_world, folder)
    return folder
