"""Who launched a run, as the UI labels it, and whether its timeline shows the run."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.tags import TagType, get_tag_type

from engage_pipeline.orchestration.dead_runs import PROCESS_TAG
from engage_pipeline.orchestration.launching import LOCATION, MODULE, REPOSITORY, STARTED_BY_TAG, launched_by
from engage_pipeline.orchestration.partitions import RANGE_START
from engage_pipeline_tests import worlds


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def parent(instance: dg.DagsterInstance, **tags: str) -> str:
    """A run of the job `everything`; returns its id."""

    @dg.job
    def everything() -> None: ...

    return everything.execute_in_process(instance=instance, tags=tags).run_id


def test_a_command_is_the_user(instance: dg.DagsterInstance) -> None:
    assert launched_by(instance, "engage run") == {"user": "engage run"}


@pytest.mark.parametrize(
    ("tags", "label"),
    [
        ({"dagster/schedule_name": "nightly", "dagster/tick": "7"}, {"dagster/schedule_name": "nightly"}),
        ({"dagster/sensor_name": "new_parts"}, {"dagster/sensor_name": "new_parts"}),
        ({"user": "ada@example.com"}, {"user": "ada@example.com"}),
        ({"engage/reason": "1 part added"}, {"user": "job everything"}),
    ],
)
def test_a_child_has_the_launcher_of_its_parent(
    instance: dg.DagsterInstance, tags: dict[str, str], label: dict[str, str]
) -> None:
    run = parent(instance, **tags)
    assert launched_by(instance, "engage run", run) == {STARTED_BY_TAG: run, **label}


def test_a_child_of_a_deleted_run_still_names_it(instance: dg.DagsterInstance) -> None:
    assert launched_by(instance, "engage run", "gone") == {STARTED_BY_TAG: "gone", "user": "a job"}


def test_the_place_is_that_of_the_workspace() -> None:
    for file in ("workspace.yaml", "deploy/workspace.yaml"):
        (entry,) = yaml.safe_load((worlds.REPOSITORY / file).read_text(encoding="utf-8"))["load_from"]
        assert {one["location_name"] for one in entry.values()} == {LOCATION}
    module = yaml.safe_load((worlds.REPOSITORY / "workspace.yaml").read_text(encoding="utf-8"))["load_from"][0]
    assert module["python_module"]["module_name"] == MODULE


@pytest.mark.long
def test_runs_of_the_command_have_a_place_a_launcher_and_no_visible_internals(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    worlds.run(worlds.make_world(tmp_path), "tweet_parts", instance)
    (run,) = instance.get_runs()
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.repository_origin.get_label() == f"{REPOSITORY}@{LOCATION}"
    shown = {tag: value for tag, value in run.tags.items() if get_tag_type(tag) is TagType.USER_PROVIDED}
    assert shown == {"user": "engage run"}
    assert run.tags[RANGE_START] == "part-00000"
    assert get_tag_type(PROCESS_TAG) is TagType.HIDDEN
    assert run.run_id in run.tags[PROCESS_TAG]
    assert "create_run_for_job" not in vars(instance)
