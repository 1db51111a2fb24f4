"""The daemon at work: new parts, backfills, the nightly schedule, runs on one part, runs that are killed."""

import gzip
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.orchestration.automation.parts_sensor import SENSOR
from engage_pipeline.orchestration.dead_runs import PROCESS_TAG
from engage_pipeline.orchestration.launching import STARTED_BY_TAG
from engage_pipeline.synthetic import synthesize
from engage_pipeline_tests.e2e import queries
from engage_pipeline_tests.e2e.harness import REPOSITORY, Dev, Materialization, Run, wait_until
from engage_pipeline_tests.e2e.stories import Stories

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]
ASSET = "tweet_parts"
OLD = ["part-00000", "part-00001", "part-00002"]
BACKFILL_TAG, PARENT_TAG, SENSOR_TAG = "dagster/backfill", "dagster/parent_run_id", "dagster/sensor_name"
stories = Stories()


@pytest.fixture(scope="module")
def told(dev: Dev, request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    synthesize(spare(dev, 0).parents[1], rows=2000, users=300, parts=6, seed=2)
    with stories.telling(dev, {item.name for item in request.session.items}) as end_of:
        yield end_of


def spare(dev: Dev, number: int) -> Path:
    """A part of another world, of which nothing is in this one."""
    return dev.folder / "another" / "train" / f"part-{number:05}"


def drop(content: Path, path: Path) -> int:
    """Has `content` appear at `path` at once; returns its lines."""
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.write_bytes(content.read_bytes())
    unfinished.replace(path)
    return lines_of(path)


def lines_of(path: Path) -> int:
    return len(path.read_bytes().splitlines())


def rows(materialization: Materialization) -> int:
    return int(materialization.figures["dagster/partition_row_count"])


def ingested(dev: Dev, part: str, times: int = 1) -> list[Materialization]:
    """The part's ingests, the latest first, once there are so many."""
    wait_until(lambda: len(dev.materializations(ASSET, part)) >= times, f"{times} ingests of {part}")
    return dev.materializations(ASSET, part)


def made_in(dev: Dev, run: str) -> list[str]:
    """The old parts that a run has materialized."""
    return [part for part in OLD if run in {made.run for made in dev.materializations(ASSET, part)}]


def only_run(dev: Dev, backfill: str) -> Run:
    """The one run of a backfill, once it has ended."""
    wait_until(lambda: bool(dev.runs({BACKFILL_TAG: backfill})), f"a run of backfill {backfill}")
    (run,) = dev.runs({BACKFILL_TAG: backfill})
    return dev.ended(run.id)


def reported(dev: Dev, *words: str) -> list[str]:
    """The sensor's reports that hold all of `words`."""
    return [tick.reason for tick in dev.ticks(SENSOR) if all(word in tick.reason for word in words)]


def test_everything_is_loaded_and_what_acts_by_itself_is_on(dev: Dev) -> None:
    (location,) = dev.ask(queries.LOCATIONS)["workspaceOrError"]["locationEntries"]
    assert location["name"] == "engage_pipeline"
    assert location["locationOrLoadError"]["__typename"] == "RepositoryLocation", location
    groups = {node["assetKey"]["path"][0]: node["groupName"] for node in dev.ask(queries.ASSETS)["assetNodes"]}
    assert groups == {name: artifact.stage.value for name, artifact in ARTIFACTS.items()}
    assert set(groups.values()) == {stage.value for stage in Stage}
    found = dev.ask(queries.INSTIGATORS, repository=REPOSITORY)
    sensors = {each["name"]: each["sensorState"]["status"] for each in found["sensorsOrError"]["results"]}
    schedules = {each["name"]: each["scheduleState"]["status"] for each in found["schedulesOrError"]["results"]}
    assert sensors == {"alerts": "RUNNING", "dead_runs": "RUNNING", SENSOR: "RUNNING"}
    assert schedules == {"nightly": "RUNNING"}


@stories.story()
def test_the_nightly_tick_skips_while_no_part_has_changed(dev: Dev) -> None:
    try:
        tick = dev.next_tick("nightly")
        assert (tick.status, tick.reason) == ("SKIPPED", "no part has changed since the last training (3 parts)")
    finally:
        dev.stop_schedule("nightly")


@stories.story()
def test_two_parts_that_are_no_neighbours_are_backfilled(dev: Dev) -> None:
    wait_until(lambda: dev.registered()[:3] == OLD, "the partitions of the old parts")
    chosen = [OLD[0], OLD[2]]
    backfill = dev.backfill(ASSET, chosen)
    assert dev.ended_backfill(backfill) == "COMPLETED_SUCCESS"
    runs = dev.runs({BACKFILL_TAG: backfill})
    assert sorted(made_in(dev, run.id) for run in runs) == [[part] for part in chosen]
    for part in chosen:
        (made,) = [made for made in dev.materializations(ASSET, part) if made.run in {run.id for run in runs}]
        assert rows(made) == lines_of(dev.parts / part)


@stories.story()
def test_a_part_that_fails_in_a_backfill_loses_no_other_and_is_retried_alone(dev: Dev) -> None:
    wait_until(lambda: dev.registered()[:3] == OLD, "the partitions of the old parts")
    twin = dev.parts / f"{OLD[1]}.gz"
    twin.write_bytes(gzip.compress((dev.parts / OLD[1]).read_bytes()))
    backfill = dev.backfill(ASSET, OLD)
    run = only_run(dev, backfill)
    assert run.status == "FAILURE"
    dev.meant_to_fail.add(run.id)
    (reason,) = dev.failures(run.id)
    assert reason == f"{OLD[1]}: {dev.parts}: {OLD[1]} and {twin.name} are both part {OLD[1]}; remove one"
    assert made_in(dev, run.id) == [OLD[0], OLD[2]]
    red = sorted(dev.failed(ASSET).intersection(OLD))
    assert red == [OLD[1]]

    twin.unlink()
    retry = dev.backfill(ASSET, red)
    run = only_run(dev, retry)
    assert (run.status, made_in(dev, run.id)) == ("SUCCESS", red)
    assert not dev.failed(ASSET).intersection(OLD)
    assert dev.materialized(ASSET).issuperset(OLD)
    assert (dev.ended_backfill(backfill), dev.ended_backfill(retry)) == ("COMPLETED_FAILED", "COMPLETED_SUCCESS")


@stories.story()
def test_a_backfill_of_all_passes_over_a_vanished_part(dev: Dev) -> None:
    """A partition without a file: the daemon takes the backfill for a success, and the button deletes the partition."""
    wait_until(lambda: dev.registered()[:3] == OLD, "the partitions of the old parts")
    gone = "part-00990"
    dev.add_part(gone)
    backfill = dev.backfill(ASSET, [gone])
    assert dev.ended_backfill(backfill) == "COMPLETED_SUCCESS"
    (made,) = dev.materializations(ASSET, gone)
    assert made.figures == {"skipped": f"skipped: its file is gone from {dev.parts} (engage register-parts --prune)"}
    assert not dev.store().folder(ASSET, gone).exists()
    alone = dev.ended(dev.launch(ASSET, part=gone))
    dev.meant_to_fail.add(alone.id)
    assert alone.status == "FAILURE"
    assert "its file is gone" in " ".join(dev.failures(alone.id))
    dev.delete_part(gone)
    assert gone not in dev.registered()


@stories.story()
def test_two_runs_on_one_part_come_one_after_the_other(dev: Dev) -> None:
    part = OLD[2]
    wait_until(lambda: part in dev.registered(), f"the partition {part}")
    before = dev.store().open(ASSET, part).manifest
    runs = [dev.launch(ASSET, part=part) for _ in range(2)]
    first, second = sorted((dev.ended(run) for run in runs), key=lambda run: run.started)
    assert (first.status, second.status) == ("SUCCESS", "SUCCESS")
    assert 0 < first.started < first.ended <= dev.launched(second.id)
    after = dev.store().open(ASSET, part)
    assert after.manifest.version == before.version
    assert after.directory().name == after.manifest.directory


@stories.story()
def test_a_killed_run_is_closed_gives_back_its_pool_and_is_done_again(dev: Dev) -> None:
    asset, pool = "finetuned_encoder", Stage.LANGUAGE.value
    before = dev.store().open(asset).manifest
    run = dev.launch(asset)
    wait_until(lambda: bool(dev.process(run)), "the process of the run", every=0.1)
    assert PROCESS_TAG not in dev.run(run).tags
    os.kill(int(dev.process(run).split(":")[1]), signal.SIGKILL)
    dev.meant_to_fail.add(run)
    assert dev.ended(run).status == "FAILURE"
    assert dev.store().open(asset).manifest == before
    wait_until(lambda: bool(dev.runs({PARENT_TAG: run})), "the second attempt")
    (again,) = dev.runs({PARENT_TAG: run})
    assert dev.ended(again.id).status == "SUCCESS"
    after = dev.store().open(asset)
    assert after.manifest.version == before.version
    assert after.manifest.directory != before.directory
    assert after.directory().is_dir()
    wait_until(lambda: dev.slots_taken(pool) == 0, f"the free pool {pool}")


@stories.story(test_the_nightly_tick_skips_while_no_part_has_changed)
def test_a_new_part_is_taken_once_it_is_whole_and_again_only_when_it_is_replaced(dev: Dev) -> None:
    slow, moved = dev.parts / "part-00010", dev.parts / "part-00011"
    rest = iter(spare(dev, 0).read_bytes().splitlines(keepends=True))
    with slow.open("wb") as file:

        def is_left_alone() -> bool:
            file.write(next(rest))
            file.flush()
            return len(reported(dev, "still being written", slow.name)) >= 2

        wait_until(is_left_alone, f"two ticks that leave {slow.name} alone", every=0.5)
        assert slow.name not in dev.registered()
        file.writelines(rest)
    drop(spare(dev, 1), moved)
    for path in (slow, moved):
        (made,) = ingested(dev, path.name)
        assert rows(made) == lines_of(path)
        run = dev.run(made.run)
        assert (run.job, run.tags[SENSOR_TAG]) == ("ingest_parts", SENSOR)

    os.utime(slow)
    dev.next_tick(SENSOR, ticks=3)
    assert len(dev.materializations(ASSET, slow.name)) == 1
    lines = drop(spare(dev, 2), slow)
    assert rows(ingested(dev, slow.name, times=2)[0]) == lines
    dev.next_tick(SENSOR, ticks=2)
    assert [len(dev.materializations(ASSET, path.name)) for path in (slow, moved)] == [2, 1]


@stories.story(test_the_nightly_tick_skips_while_no_part_has_changed)
def test_a_broken_part_fails_in_one_line_beside_a_good_one_until_it_is_mended(dev: Dev) -> None:
    good, bad = dev.parts / "part-00020", dev.parts / "part-00021"
    bad.write_text("not an interaction\n" * 3, encoding="utf-8")
    lines = drop(spare(dev, 3), good)
    assert rows(ingested(dev, good.name)[0]) == lines
    wait_until(lambda: bool(reported(dev, "requested but not ingested", bad.name)), f"the report of {bad.name}")
    run = next(run for run in dev.runs({SENSOR_TAG: SENSOR}) if bad.name in run.tags.values())
    dev.meant_to_fail.add(run.id)
    assert (run.status, run.tags.get("dagster/will_retry")) == ("FAILURE", "false")
    (reason,) = dev.failures(run.id)
    assert reason.startswith(f"{bad.name}: {bad}: ")
    assert "\n" not in reason
    assert bad.name in dev.failed(ASSET)
    wait_until(lambda: run.id in {notice.get("run_id") for notice in dev.notices()}, "the notice of the failed run")
    (notice,) = [notice for notice in dev.notices() if notice.get("run_id") == run.id]
    assert notice["event"] == "run_failed"
    assert bad.name in notice["part"]
    assert reason not in str(notice)

    lines = drop(spare(dev, 4), bad)
    (made,) = ingested(dev, bad.name)
    assert rows(made) == lines
    assert bad.name not in dev.failed(ASSET)
    assert len(dev.materializations(ASSET, good.name)) == 1


@stories.story(
    test_two_parts_that_are_no_neighbours_are_backfilled,
    test_a_part_that_fails_in_a_backfill_loses_no_other_and_is_retried_alone,
    test_two_runs_on_one_part_come_one_after_the_other,
    test_a_killed_run_is_closed_gives_back_its_pool_and_is_done_again,
    test_a_new_part_is_taken_once_it_is_whole_and_again_only_when_it_is_replaced,
    test_a_broken_part_fails_in_one_line_beside_a_good_one_until_it_is_mended,
)
def test_the_nightly_tick_retrains_when_parts_have_changed_and_skips_afterwards(dev: Dev) -> None:
    new = ["part-00010", "part-00011", "part-00020", "part-00021"]
    before = {name: dev.store().open(name).manifest for name in ("trained_model", "submission")}
    dev.start_schedule("nightly")
    try:
        tick = dev.next_tick("nightly")
    finally:
        dev.stop_schedule("nightly")
    assert (tick.status, tick.reason) == ("SUCCESS", "")
    (run_id,) = tick.runs
    run = dev.ended(run_id)
    assert (run.job, run.status) == ("retrain", "SUCCESS")
    assert run.tags["engage/reason"] == f"4 parts added ({', '.join(new)})"
    assert {part.status for part in dev.runs({STARTED_BY_TAG: run_id})} == {"SUCCESS"}
    for name, manifest in before.items():
        after = dev.store().open(name).manifest
        assert after.created > manifest.created
        assert after.version != manifest.version
    assert dev.materialized("interaction_features") >= set(new)
    outcome = dev.dry_run("nightly")
    assert not outcome["error"]
    assert not outcome["runRequests"]
    assert outcome["skipReason"] == "no part has changed since the last training (7 parts)"


def test_nothing_failed_that_was_not_meant_to(dev: Dev) -> None:
    assert {run.id for run in dev.runs() if run.status not in {"SUCCESS"}} <= dev.meant_to_fail
    assert not [tick for name in ("alerts", "dead_runs", SENSOR, "nightly") for tick in dev.ticks(name) if tick.error]
    assert "Traceback" not in dev.log.read_text(encoding="utf-8", errors="replace")
