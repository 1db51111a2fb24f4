"""The nightly schedule's decision, and its ticks in a real instance."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engage_pipeline.definitions import build_definitions
from engage_pipeline.orchestration.automation.nightly import nightly_decision
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(worlds.REPOSITORY / "dagster.yaml", home)
    with dg.DagsterInstance.from_config(str(home)) as found:
        yield found


def tick(config: Path, instance: dg.DagsterInstance) -> Any:
    definitions = build_definitions(Pipeline(config=str(config)))
    schedule = definitions.get_repository_def().get_schedule_def("nightly")
    with dg.build_schedule_context(
        instance,
        scheduled_execution_time=datetime.now(UTC),
        repository_def=definitions.get_repository_def(),
        resources={"pipeline": Pipeline(config=str(config))},
    ) as context:
        return schedule.evaluate_tick(context)


def test_it_waits_for_the_first_training(tmp_path: Path) -> None:
    retrain, reason = nightly_decision(worlds.store_of(worlds.write_config(tmp_path)), running=False)
    assert not retrain
    assert "no model yet" in reason


def test_it_skips_until_a_part_changes_and_says_which(world: Path, instance: dg.DagsterInstance) -> None:
    config = world / "config.yaml"
    skipped = tick(config, instance)
    assert not skipped.run_requests
    assert skipped.skip_message == "no part has changed since the last training (3 parts)"
    parts = world / "raw" / "train"
    (parts / "part-00009").write_bytes((parts / "part-00000").read_bytes().replace(b"TopLevel", b"Quote"))
    assert not tick(config, instance).run_requests
    worlds.run(config, "tweet_parts")
    (request,) = tick(config, instance).run_requests or []
    assert request.tags["engage/reason"] == "1 part added (part-00009)"
    assert not nightly_decision(worlds.store_of(config), running=True)[0]


def test_a_training_that_did_not_end_is_asked_for_again(world: Path) -> None:
    config = world / "config.yaml"
    store = worlds.store_of(config)
    parts = world / "raw" / "train"
    (parts / "part-00009").write_bytes((parts / "part-00000").read_bytes().replace(b"TopLevel", b"Quote"))
    worlds.run(config, "pretrained_network")
    changes = "1 part added (part-00009), 3 changed (part-00000, part-00001, part-00002)"
    assert nightly_decision(store, running=False) == (True, changes)
    worlds.run(config, "candidate_model")
    retrain, reason = nightly_decision(store, running=False)
    assert (retrain, reason) == (True, "the last training ended before it was decided whether its model predicts")
    worlds.run(config)
    assert nightly_decision(store, running=False) == (False, "no part has changed since the last training (4 parts)")


def test_a_broken_settings_file_is_one_line(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("sketch_width: many", encoding="utf-8")
    skipped = tick(config, instance)
    assert not skipped.run_requests
    assert "sketch_width" in str(skipped.skip_message)
