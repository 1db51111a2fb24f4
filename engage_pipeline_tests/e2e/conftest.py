"""A tiny world under `dagster dev`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.e2e.harness import Dev, development
from engage_pipeline_tests.orchestration.alerts.receiver import receiver


@pytest.fixture(scope="package")
def dev(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`dagster dev` on a copy of the finished world, of which Dagster has no events yet; it acts as often as it can."""
    folder = tmp_path_factory.mktemp("dev") / "world"
    worlds.copy_world(finished_world, folder)
    often = {"sensor_seconds": 1, "stable_seconds": 1, "nightly_cron": "* * * * *"}
    # Whether a tiny model is better than another is chance: any may replace another.
    worlds.write_config(folder, automation=often, promotion={"tolerance": 1e6})
    with receiver() as told, development(folder, ENGAGE_ALERT_WEBHOOK=told.url) as dev:
        dev.notices = lambda: [notice for _, _, notice in told.got]
        yield dev
