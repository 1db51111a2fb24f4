"""Worlds of a module's own to be broken, and processes that make their artifacts and can be killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults import raw
from engage_pipeline_tests.faults.nursery import Nursery, nursery


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


@pytest.fixture(scope="module")
def config(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished world for all tests of a module: each leaves it whole, which is what they test."""
    folder = tmp_path_factory.mktemp("faulty") / "world"
    worlds.copy_world(finished_world, folder)
    return folder / "config.yaml"


@pytest.fixture(scope="module")
def children(config: Path) -> Iterator[Nursery]:
    """Makes artifacts of `config` in processes of their own."""
    with nursery(config) as started:
        yield started
