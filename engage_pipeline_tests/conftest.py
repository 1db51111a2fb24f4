"""Fixtures that several test modules share, and the order of the tests."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.ordering import in_random_order, longest_first, pytest_xdist_make_scheduler

__all__ = ["pytest_xdist_make_scheduler"]
# How long an example takes is the machine's matter.
_untimed = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
# The same examples in each run, so that a change alone decides; others with --hypothesis-profile=exploring.
hypothesis.settings.register_profile("stable", _untimed, derandomize=True)
hypothesis.settings.register_profile("exploring", _untimed, derandomize=False)
hypothesis.settings.load_profile("stable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--order-seed", type=int, metavar="N", help="run the tests in a random order of this seed")


def pytest_report_header(config: pytest.Config) -> str | None:
    seed = config.getoption("order_seed")
    return None if seed is None else f"random order: --order-seed={seed}"


@pytest.hookimpl(tryfirst=True)  # before pytest brings together what shares a parametrized fixture
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Longest files first, or what a seed says."""
    seed = config.getoption("order_seed")
    items[:] = longest_first(items, Path(__file__).parent) if seed is None else in_random_order(items, seed)


def made_once(factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` as `make` fills it, once for all workers of a run: the others wait for it."""
    base = factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / name
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shared / "world"
        if not (shared / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (shared / "made").touch()
    return folder


@pytest.fixture(scope="session")
def finished_world(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Folder of a tiny world after a whole run, one for all workers. Copy it (`world`) before changing anything."""
    return made_once(
        tmp_path_factory, worker_id, "finished-world", lambda folder: worlds.run(worlds.make_world(folder))
    )


@pytest.fixture
def world(finished_world: Path, tmp_path: Path) -> Path:
    """A copy of the finished world of the test's own; its raw parts are the same files at another place."""
    folder = tmp_path / "world"
    worlds.copy_world(finished_world, folder)
    return folder


@pytest.fixture(scope="session")
def ingested_world(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Folder of a tiny world whose three training parts are ingested. Copy it (`ingested`) before changing anything."""

    def make(folder: Path) -> None:
        worlds.run(worlds.make_world(folder), "tweet_parts")

    return made_once(tmp_path_factory, worker_id, "ingested-world", make)


@pytest.fixture
def ingested(ingested_world: Path, tmp_path: Path) -> Path:
    """The configuration of a world whose three parts are ingested; the test's own copy."""
    worlds.copy_world(ingested_world, tmp_path / "world")
    return tmp_path / "world" / "config.yaml"
