"""Backfills by command: chosen parts in few runs, a failed one named and retried alone."""

from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.backfilling import backfill
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    home = tmp_path / "home"
    home.mkdir()
    return dg.DagsterInstance.local_temp(str(home))


def run(
    config: Path, instance: dg.DagsterInstance, *patterns: str, asset: str = "tweet_parts"
) -> tuple[list[str], int]:
    done = backfill(Pipeline(config=str(config)), instance, asset, patterns)
    assert not done.failures
    return [str(step.key) for step in done.steps], done.runs


def ingested(instance: dg.DagsterInstance) -> set[str]:
    return instance.get_materialized_partitions(dg.AssetKey("tweet_parts"))


def test_chosen_parts_that_are_no_neighbours_take_two_runs(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    config = worlds.make_world(tmp_path)
    instance.add_dynamic_partitions("part", ["part-00000", "part-00001", "part-00002"])
    assert run(config, instance, "part-00000", "*2") == (["part-00000", "part-00002"], 2)
    assert ingested(instance) == {"part-00000", "part-00002"}
    assert run(config, instance) == (["part-00001"], 1)
    assert run(config, instance) == ([], 0)


def test_a_run_holds_as_many_parts_as_the_setting_says(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    worlds.make_world(tmp_path)
    config = worlds.write_config(tmp_path, max_n_parts_in_memory=2)
    assert run(config, instance, "part-*") == (["part-00000", "part-00001", "part-00002"], 2)
    (run_record, *_) = [one for one in instance.get_runs() if "dagster/asset_partition_range_start" in one.tags]
    assert len(instance.get_runs()) == 2
    assert run_record.tags["dagster/asset_partition_range_start"] == "part-00002"


def test_a_failed_part_is_named_loses_no_other_and_is_retried_alone(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    config = worlds.make_world(tmp_path)
    broken = tmp_path / "raw" / "train" / "part-00001"
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    done = backfill(Pipeline(config=str(config)), instance, "tweet_parts", ["part-*"])
    (failure,) = done.failures
    assert "part-00001" in failure
    assert "empty" in failure
    assert "part-00002" not in failure
    assert ingested(instance) == {"part-00000", "part-00002"}
    broken.write_bytes(whole)
    assert run(config, instance) == (["part-00001"], 1)
    assert ingested(instance) == {"part-00000", "part-00001", "part-00002"}


def test_parts_that_fail_alike_are_named_in_one_line(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Whether one run or several make them, and in the log of each run too."""
    worlds.make_world(tmp_path)
    config = worlds.write_config(tmp_path, max_n_parts_in_memory=2)
    parts = [tmp_path / "raw" / "train" / f"part-0000{number}" for number in range(3)]
    for part in parts:
        part.write_bytes(b"")
    done = backfill(Pipeline(config=str(config)), instance, "tweet_parts", ["part-*"])
    assert done.runs == 2
    empty = f"{parts[0].parent}/…: the file is empty"
    assert done.failures == (f"tweet_parts: part-00000, part-00001, part-00002: {empty}",)
    assert f"part-00000, part-00001: {empty}" in failed_steps(instance)


def failed_steps(instance: dg.DagsterInstance) -> list[str | None]:
    """What the log of the runs says of their failed steps."""
    failed = dg.DagsterEventType.STEP_FAILURE
    logs = [entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id, of_type=failed)]
    data = [entry.get_dagster_event().step_failure_data.user_failure_data for entry in logs]
    return [one and one.description for one in data]


def test_what_does_not_exist_is_one_clear_line(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    config = worlds.make_world(tmp_path)
    with pytest.raises(UserError, match=r"part-7: matches no part of tweet_parts; its parts: part-00000, part-00001"):
        run(config, instance, "part-7")
    with pytest.raises(UserError, match="interaction_features"):
        run(config, instance, "part-00000", asset="submission")
