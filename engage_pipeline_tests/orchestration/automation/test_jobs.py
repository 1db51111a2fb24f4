"""Jobs in a real instance: what a run without chosen parts makes, and what a run of stale assets passes over."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.definitions import build_definitions
from engage_pipeline.orchestration.launching import STARTED_BY_TAG
from engage_pipeline.orchestration.partitions import register_parts
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    home = tmp_path / "home"
    home.mkdir()
    return dg.DagsterInstance.local_temp(str(home))


def execute(config: Path, instance: dg.DagsterInstance, job: str) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(Pipeline(config=str(config)))
    return definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)


def versions(config: Path) -> dict[str, str]:
    store = worlds.store_of(config)
    found = {}
    for name, artifact in ARTIFACTS.items():
        for key in store.parts() if artifact.partitioned else [None]:
            manifest = store.manifest(name, key)
            found[f"{name}/{key}"] = manifest.directory if manifest else "absent"
    return found


def made_parts(instance: dg.DagsterInstance, name: str) -> list[str]:
    records = instance.fetch_materializations(dg.AssetKey(name), limit=100).records
    return sorted(str(record.partition_key) for record in records if record.partition_key)


@pytest.mark.long
def test_everything_makes_all_from_raw_parts_and_a_second_time_nothing(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    config = worlds.make_world(tmp_path)
    assert execute(config, instance, "everything").success
    made = versions(config)
    assert "absent" not in made.values()
    assert made_parts(instance, "tweet_parts") == ["part-00000", "part-00001", "part-00002"]
    assert made_parts(instance, "interaction_features") == ["part-00000", "part-00001", "part-00002"]
    assert worlds.run(config) == []
    for job in ("everything", "submit"):
        assert execute(config, instance, job).success
    assert versions(config) == made
    assert made_parts(instance, "tweet_parts") == ["part-00000", "part-00001", "part-00002"]
    event = instance.get_latest_materialization_event(dg.AssetKey("submission"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["unchanged"].value is True


def test_a_job_tells_what_its_runs_made(world: Path, instance: dg.DagsterInstance) -> None:
    config = world / "config.yaml"
    store = worlds.store_of(config)
    shutil.rmtree(store.folder("test_tweets"))
    shutil.rmtree(store.folder("interaction_features", "part-00001"))
    job = execute(config, instance, "refresh_features")
    (output,) = [event for event in job.all_node_events if event.is_successful_output]
    shown = output.step_output_data.metadata
    assert shown["artifacts"].text == "test_tweets, interaction_features/part-00001"
    lines = shown["runs"].value.splitlines()[2:]
    started = instance.get_runs(filters=dg.RunsFilter(tags={STARTED_BY_TAG: job.run_id}))
    assert len(lines) == len(started) == 2
    for line, run in zip(lines, reversed(started), strict=True):
        assert line.startswith(f"| [{run.run_id[:8]}](/runs/{run.run_id}) | ")
        assert line.endswith(" | success |")
        assert run.tags["user"] == "job refresh_features"
    assert any(" | interaction_features | part-00001 | " in line for line in lines)


@pytest.mark.long
def test_retraining_takes_what_is_ingested_and_leaves_a_broken_part_out(
    world: Path, instance: dg.DagsterInstance
) -> None:
    config = world / "config.yaml"
    worlds.run(config)
    before = versions(config)
    parts = world / "raw" / "train"
    (parts / "part-00009").write_bytes(b"")
    (parts / "part-00001").unlink()
    register_parts(instance, ["part-00000", "part-00001", "part-00002", "part-00009"])
    assert execute(config, instance, "retrain").success
    after = versions(config)
    assert made_parts(instance, "interaction_features") == ["part-00000", "part-00002"]
    assert after["validation_tweets/None"] == before["validation_tweets/None"]
    assert after["submission/None"] != before["submission/None"]


def test_an_asset_that_was_asked_for_is_made_again(world: Path, instance: dg.DagsterInstance) -> None:
    config = world / "config.yaml"
    worlds.run(config)
    before = versions(config)
    job = build_definitions(Pipeline(config=str(config))).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("submission")]).success
    after = versions(config)
    assert {name for name in before if before[name] != after[name]} == {"submission/None"}
