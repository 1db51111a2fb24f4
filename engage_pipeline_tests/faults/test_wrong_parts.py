"""A part in the wrong place, and settings that change between two assets: a clear error before work starts."""

from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.definitions import build_definitions
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import copy_of, part_of
from engage_pipeline_tests.orchestration.checks.looking import raw_lines, write_lines

pytestmark = pytest.mark.long


@pytest.fixture
def config(ingested: Path) -> Path:
    return ingested


def made(config: Path) -> set[str]:
    """The artifacts that are published."""
    return {path.parent.name for path in (config.parent / "data").glob("*/*/manifest.json")}


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (24, r"part-00000: line \d+ \(from 0\) has labels; a test part must have none"),
        (19, "part-00000: its lines have 19 columns, those of a test part 20"),
    ],
)
def test_a_test_part_with_labels_or_of_other_columns_stops_before_training(config: Path, width: int, said: str) -> None:
    labelled = raw_lines(part_of(config))
    write_lines(part_of(config, "part-00000", "test"), [fields[:width] for fields in labelled])
    with pytest.raises(UserError, match=said):
        worlds.run(config)
    assert made(config) <= {"validation_tweets"}


def test_a_test_part_among_the_training_parts_is_not_trained_on(config: Path) -> None:
    part_of(config).write_bytes(part_of(config, "part-00000", "test").read_bytes())
    with pytest.raises(UserError, match="20 columns, those of a labelled part 24; is it a test part"):
        worlds.run(config)
    assert made(config) == set()


def test_labels_that_are_empty_are_cut_off_and_no_table_of_test_rows_has_a_label(config: Path) -> None:
    test = part_of(config, "part-00000", "test")
    write_lines(test, [[*fields, "", "", "", ""] for fields in raw_lines(test)])
    worlds.run(config, "test_features")
    store = worlds.store_of(config)
    labels = {*schema.TARGETS, *map(schema.engagement_timestamp, schema.TARGETS)}
    for artifact in ("test_tweets", "test_features"):
        columns = pq.read_schema(store.open(artifact).path("part-00000.parquet")).names
        assert not labels & set(columns)
    assert store.open("test_tweets").manifest.rows == len(raw_lines(test))


def test_without_a_validation_part_nothing_is_begun(config: Path) -> None:
    part_of(config, "part-00000", "validation").unlink()
    part_of(config).write_bytes(b"")
    with pytest.raises(UserError, match="validation/part-00000: no such part"):
        worlds.run(config)
    assert made(config) == set()


def test_artifacts_of_other_settings_are_not_mixed(finished_world: Path, tmp_path: Path) -> None:
    """One asset alone, as by a click on Materialize, between two changes of the settings."""
    config = copy_of(finished_world / "config.yaml", tmp_path / "world")
    before = worlds.store_of(config).manifest("pretrained_network")
    worlds.write_config(config.parent, sketch_depth=5)
    job = build_definitions(Pipeline(config=str(config))).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey("pretrained_network")], raise_on_error=False
        )
    (failure,) = [event.step_failure_data for event in run.all_node_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    said = (
        "emde_sketches was made with other settings (sketch_depth: 4 → 5): "
        "materialize it again, or give its settings with --set"
    )
    assert failure.user_failure_data.description == said
    store = worlds.store_of(config)
    assert store.manifest("pretrained_network") == before
    for name in ("emde_sketches", "trained_model", "submission"):
        with pytest.raises(UserError, match="made with other settings"):
            store.open(name)
    assert store.open("interaction_counts")
