"""A world with ingested parts, made once for the fault tests of a module."""

from pathlib import Path

import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults import raw


@pytest.fixture(scope="module")
def ingested_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a world whose three training parts are ingested. Copy it (`ingested`) before changing anything."""
    folder = tmp_path_factory.mktemp("ingested")
    raw.ingest(worlds.make_world(folder))
    return folder


@pytest.fixture
def ingested(ingested_world: Path, tmp_path: Path) -> Path:
    """The configuration of a world whose three parts are ingested; the test's own copy."""
    return raw.copy_of(ingested_world / "config.yaml", tmp_path / "world")
