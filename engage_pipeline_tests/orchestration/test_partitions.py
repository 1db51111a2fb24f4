"""Training parts as partitions: chosen ones are materialized, a range in one run, and a failed one loses no other."""

from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.commands.app import app
from engage_pipeline.definitions import build_definitions
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.partitions import register_parts
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.orchestration.running import RANGE_END, RANGE_START
from engage_pipeline_tests import worlds
from engage_pipeline_tests.samples import edit_manifest

pytestmark = pytest.mark.long


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    home = tmp_path / "home"
    home.mkdir()
    return dg.DagsterInstance.local_temp(str(home))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return worlds.make_world(tmp_path)


def execute(config: Path, instance: dg.DagsterInstance, job: str, **options: object) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(Pipeline(config=str(config)))
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        raise_on_error=False,
        **options,  # type: ignore[arg-type]
    )


def rows_by_part(instance: dg.DagsterInstance) -> dict[str, int]:
    events = instance.fetch_materializations(dg.AssetKey("tweet_parts"), limit=100).records
    found = {}
    for event in events:
        materialization = event.asset_materialization
        assert materialization is not None
        found[str(materialization.partition)] = materialization.metadata["dagster/partition_row_count"].value
    return found  # type: ignore[return-value]


def test_one_chosen_part_is_materialized(config: Path, instance: dg.DagsterInstance) -> None:
    register_parts(instance, ["part-00000", "part-00001", "part-00002"])
    assert execute(config, instance, "ingest_parts", partition_key="part-00001").success
    assert worlds.store_of(config).parts() == ["part-00001"]
    assert rows_by_part(instance) == {"part-00001": 1017}


def test_a_range_is_one_run_with_figures_for_each_part(config: Path, instance: dg.DagsterInstance) -> None:
    register_parts(instance, ["part-00002", "part-00000", "part-00001"])
    tags = {RANGE_START: "part-00000", RANGE_END: "part-00001"}
    assert execute(config, instance, "ingest_parts", tags=tags).success
    assert rows_by_part(instance) == {"part-00000": 1016, "part-00001": 1017}
    assert len(instance.get_runs()) == 1


def test_a_failed_part_is_named_and_loses_no_other(config: Path, instance: dg.DagsterInstance) -> None:
    register_parts(instance, ["part-00000", "part-00001", "part-00002"])
    broken = config.parent / "raw" / "train" / "part-00001"
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    tags = {RANGE_START: "part-00000", RANGE_END: "part-00002"}
    failed = execute(config, instance, "ingest_parts", tags=tags)
    assert not failed.success
    assert rows_by_part(instance).keys() == {"part-00000", "part-00002"}
    broken.write_bytes(whole)
    assert execute(config, instance, "ingest_parts", partition_key="part-00001").success
    assert rows_by_part(instance).keys() == {"part-00000", "part-00001", "part-00002"}


def test_a_part_that_is_not_there_fails_with_its_name(config: Path, instance: dg.DagsterInstance) -> None:
    register_parts(instance, ["part-00777"])
    failed = execute(config, instance, "ingest_parts", partition_key="part-00777")
    (event,) = [event for event in failed.all_node_events if event.is_step_failure]
    said = str(event.step_failure_data.user_failure_data)
    assert "no part part-00777" in said
    assert "its file is gone (engage register-parts --prune)" in said


def skipped(instance: dg.DagsterInstance, asset: str = "tweet_parts") -> dict[str, str]:
    """Why parts were passed over, of those whose last materialization says so."""
    found: dict[str, str] = {}
    for event in reversed(instance.fetch_materializations(dg.AssetKey(asset), limit=100).records):
        made = event.asset_materialization
        assert made is not None
        found.pop(str(made.partition), None)
        if "skipped" in made.metadata:
            assert set(made.metadata) == {"skipped"}
            found[str(made.partition)] = str(made.metadata["skipped"].value)
    return found


def test_a_backfill_of_all_passes_over_parts_whose_file_is_gone(config: Path, instance: dg.DagsterInstance) -> None:
    register_parts(instance, ["part-00000", "part-00001", "part-00002", "part-00777"])
    tags = {RANGE_START: "part-00000", RANGE_END: "part-00777", "dagster/backfill": "all"}
    assert execute(config, instance, "ingest_parts", tags=tags).success
    gone = config.parent / "raw" / "train"
    reason = f"skipped: its file is gone from {gone} (engage register-parts --prune)"
    assert skipped(instance) == {"part-00777": reason}
    store = worlds.store_of(config)
    assert store.parts() == ["part-00000", "part-00001", "part-00002"]
    assert not store.folder("tweet_parts", "part-00777").exists()

    (gone / "part-00001").unlink()
    kept = store.open("tweet_parts", "part-00001").manifest
    alone = {"dagster/backfill": "all"}  # a run of a backfill may hold but the one
    assert execute(config, instance, "ingest_parts", partition_key="part-00001", tags=alone).success
    assert skipped(instance) == {"part-00001": reason, "part-00777": reason}
    assert store.open("tweet_parts", "part-00001").manifest == kept

    (gone / "part-00000").write_bytes(b"")
    failed = execute(config, instance, "ingest_parts", tags=tags)
    (event,) = [event for event in failed.all_node_events if event.is_step_failure]
    description = str(event.step_failure_data.user_failure_data)
    assert "part-00000" in description
    assert "part-00777" not in description
    assert set(skipped(instance)) == {"part-00001", "part-00777"}


def test_a_failed_run_that_is_run_again_makes_no_part_green_whose_file_was_removed(
    config: Path, instance: dg.DagsterInstance
) -> None:
    """It is no backfill, whose parts Dagster wants materialized."""
    raw = config.parent / "raw" / "train"
    (raw / "part-00002").write_bytes(b"")
    register_parts(instance, ["part-00000", "part-00001", "part-00002", "part-00777"])
    failed = execute(config, instance, "ingest_parts", tags={RANGE_START: "part-00000", RANGE_END: "part-00777"})
    assert not failed.success
    assert instance.get_materialized_partitions(dg.AssetKey("tweet_parts")) == {"part-00000", "part-00001"}


def test_features_pass_over_parts_whose_file_is_gone(world: Path, instance: dg.DagsterInstance) -> None:
    config = world / "config.yaml"
    register_parts(instance, ["part-00000", "part-00001", "part-00002"])
    (world / "raw" / "train" / "part-00001").unlink()
    for name in ("interaction_counts", "author_similarity"):
        worlds.run(config, name)
    job = build_definitions(Pipeline(config=str(config))).resolve_implicit_global_asset_job_def()
    tags = {RANGE_START: "part-00000", RANGE_END: "part-00002", "dagster/backfill": "all"}
    asset = [dg.AssetKey("interaction_features")]
    assert job.execute_in_process(instance=instance, asset_selection=asset, tags=tags).success
    assert set(skipped(instance, "interaction_features")) == {"part-00001"}
    store = worlds.store_of(config)
    assert [store.stale("interaction_features", key) for key in store.parts()] == [None, None]


def test_vanished_parts_are_unregistered_by_command_and_come_back(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(config.parent))
    raw = config.parent / "raw" / "train"

    def register(*options: str) -> list[str]:
        capsys.readouterr()
        app(["register-parts", *options, "--config", str(config)], standalone_mode=False)
        return capsys.readouterr().out.splitlines()

    def registered() -> list[str]:
        with dg.DagsterInstance.from_config(str(config.parent)) as instance:
            return list(instance.get_dynamic_partitions("part"))

    assert register() == ["3 parts added, 0 were there: part-00000, part-00001, part-00002"]
    (raw / "part-00001").rename(config.parent / "away")
    assert register() == ["0 parts added, 2 were there: part-00000, part-00002"]
    assert registered() == ["part-00000", "part-00001", "part-00002"]
    assert register("--prune")[1:] == ["1 part without a file removed: part-00001"]
    assert registered() == ["part-00000", "part-00002"]
    assert register("--prune")[1:] == ["0 parts without a file removed"]
    (config.parent / "away").rename(raw / "part-00001")
    worlds.write_config(config.parent, max_n_parts=1)
    assert register("--prune")[1:] == ["0 parts without a file removed"]  # a file that no setting asks for is there
    worlds.write_config(config.parent)
    assert register()[0].startswith("1 part added, 2 were there: ")
    for path in raw.iterdir():
        path.rename(config.parent / path.name)
    with pytest.raises(UserError, match="no parts"):  # the disk is not mounted
        register("--prune")
    assert len(registered()) == 3


def test_a_key_that_may_not_become_a_path_is_not_registered(instance: dg.DagsterInstance) -> None:
    with pytest.raises(UserError, match="a part's name"):
        register_parts(instance, ["../../evil"])
    assert instance.get_dynamic_partitions("part") == []


def test_checks_pass_on_a_finished_world_and_fail_on_a_wrong_one(
    finished_world: Path, world: Path, instance: dg.DagsterInstance
) -> None:
    definitions = build_definitions(Pipeline(config=str(world / "config.yaml")))
    job = definitions.resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("submission")])
    assert {check.check_name for check in done.get_asset_check_evaluations()} >= {"one_line_for_every_test_row"}
    assert all(check.passed for check in done.get_asset_check_evaluations())
    register_parts(instance, ["part-00000", "part-00001", "part-00002"])
    part = world / "data" / "ingest" / "tweet_parts" / "part-00001"
    edit_manifest(part, lambda values: values["facts"]["positives"].update(like=1))
    wrong = job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey("interaction_counts")], raise_on_error=False
    )
    (check,) = [check for check in wrong.get_asset_check_evaluations() if not check.passed]
    assert check.check_name == "counts_cover_every_row"
    assert check.blocking
    assert "like" in str(check.description)
    assert "like" in str(worlds.store_of(world / "config.yaml").stale("interaction_counts"))


def test_one_part_under_changed_settings_is_made_and_checked_alone(world: Path, instance: dg.DagsterInstance) -> None:
    register_parts(instance, ["part-00000", "part-00001", "part-00002"])
    config = worlds.write_config(world, ingest={"max_rejected_share": 0.5})
    assert execute(config, instance, "ingest_parts", partition_key="part-00001").success
