"""A finished world that a module shares with no other."""

from pathlib import Path

import pytest

from engage_pipeline_tests import worlds


@pytest.fixture(scope="module")
def own_world(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in whose folders nobody else works meanwhile: for tests that look for what is left behind."""
    folder = tmp_path_factory.mktemp("own") / "world"
    worlds.copy_world(finished_world, folder)
    return folder
