"""Worlds of a module's own to be broken, and processes that make their artifacts and can be killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.nursery import Nursery, nursery


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
