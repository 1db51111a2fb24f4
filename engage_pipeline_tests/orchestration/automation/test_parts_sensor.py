"""Ticks of the sensor of new parts on real files, in a real instance, with the runs that it requests."""

import hashlib
import os
import re
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.commands.options import open_pipeline
from engage_pipeline.definitions import build_definitions
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.ingest.watch.cursor import Cursor, read_cursor
from engage_pipeline.orchestration.automation import parts_sensor as sensor_module
from engage_pipeline.orchestration.automation.parts_sensor import LOST_SECONDS, parts_sensor
from engage_pipeline.orchestration.partitions import register_parts
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.orchestration.running import RANGE_END, RANGE_START
from engage_pipeline.settings.operating import AutomationSettings
from engage_pipeline_tests import worlds

PARTS = ["part-00000", "part-00001", "part-00002"]


class Watch:
    """The sensor's ticks one after the other, as the daemon runs them: partitions are added, then the runs made."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.parts = config.parent / "raw" / "train"
        self.instance = dg.DagsterInstance.ephemeral()
        self.pipeline = Pipeline(config=str(config))
        self.definitions = build_definitions(self.pipeline)
        self.cursor: str | None = None

    def tick(self) -> dg.SensorResult:
        sensor = self.definitions.resolve_sensor_def("new_parts")
        context = dg.build_sensor_context(
            self.instance, cursor=self.cursor, resources={"pipeline": self.pipeline}, sensor_name=sensor.name
        )
        done = sensor(context)
        if isinstance(done, dg.SkipReason):
            return dg.SensorResult(skip_reason=done)
        assert isinstance(done, dg.SensorResult)
        self.cursor = done.cursor
        for request in done.dynamic_partitions_requests or []:
            assert isinstance(request, dg.AddDynamicPartitionsRequest)
            self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        return done

    def told(self) -> str:
        """What a tick that requests nothing says."""
        done = self.tick()
        assert not done.run_requests
        assert done.skip_reason is not None
        return str(done.skip_reason.skip_message)

    def requested(self, done: dg.SensorResult) -> list[list[str]]:
        """The parts of each requested run."""
        return [parts_of(request, self.registered()) for request in done.run_requests or []]

    def execute(self, done: dg.SensorResult) -> list[bool]:
        """Makes the requested runs; tells which succeeded."""
        job = self.definitions.resolve_job_def("ingest_parts")
        return [
            job.execute_in_process(
                instance=self.instance,
                partition_key=request.partition_key,
                tags={**request.tags, "dagster/run_key": str(request.run_key)},
                raise_on_error=False,
            ).success
            for request in done.run_requests or []
        ]

    def registered(self) -> list[str]:
        return list(self.instance.get_dynamic_partitions("part"))

    def ingested(self) -> list[str]:
        return worlds.store_of(self.config).parts()


def parts_of(request: dg.RunRequest, registered: list[str]) -> list[str]:
    if request.partition_key:
        return [request.partition_key]
    first, last = request.tags[RANGE_START], request.tags[RANGE_END]
    return registered[registered.index(first) : registered.index(last) + 1]


def configure(folder: Path, **values: object) -> Path:
    """Settings under which a part is taken at once."""
    return worlds.write_config(folder, **{"automation": {"stable_seconds": 0}, **values})


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    """Three parts of one row each, nothing ingested."""
    folder = tmp_path / "raw" / "train"
    folder.mkdir(parents=True)
    for name in PARTS:
        write(folder / name)
    return Watch(configure(tmp_path))


def write(path: Path, rows: int = 1) -> None:
    """A part of distinct rows that no other part holds; more rows are another content."""
    ids = [hashlib.md5(f"{path.name} {row} {rows}".encode()).hexdigest().upper() for row in range(rows)]  # noqa: S324
    path.write_text("".join(f"{line(tweet_id)}\n" for tweet_id in ids), encoding="utf-8")


def line(tweet_id: str) -> str:
    tweet = ["101\t102", "", tweet_id, "", "", "", "TopLevel", "A" * 32, "1612500000"]
    users = ["B" * 32, "1", "1", "false", "1", "C" * 32, "1", "1", "false", "1"]
    return "\x01".join([*tweet, *users, "false", "", "", "", ""])


def test_new_parts_are_registered_and_ingested_in_few_runs_and_once(watch: Watch) -> None:
    configure(watch.config.parent, max_n_parts_in_memory=2)
    done = watch.tick()
    assert watch.registered() == PARTS
    assert watch.requested(done) == [PARTS[:2], PARTS[2:]]
    assert watch.execute(done) == [True, True]
    assert watch.ingested() == PARTS
    assert watch.told() == "3 parts ingested"
    assert read_cursor(watch.cursor).parts == {}
    write(watch.parts / "part-00001", rows=2)
    write(watch.parts / "part-00003")
    os.utime(watch.parts / "part-00000")
    done = watch.tick()
    assert watch.requested(done) == [["part-00001"], ["part-00003"]]
    assert watch.execute(done) == [True, True]
    assert watch.told() == "4 parts ingested"


@pytest.mark.long
def test_the_parts_of_a_world_are_ingested_as_by_engage_run(tmp_path: Path) -> None:
    config = worlds.make_world(tmp_path)
    watch = Watch(configure(tmp_path))
    assert watch.execute(watch.tick()) == [True]
    store = worlds.store_of(config)
    assert [(store.open("tweet_parts", part).manifest.rows) for part in PARTS] == [1016, 1017, 1017]
    assert worlds.run(config, "tweet_parts") == []


def test_what_is_ingested_already_is_registered_without_reading_it(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "engage_pipeline"):
        watch.execute(watch.tick())
        assert "new parts: content" in caplog.text
        caplog.clear()
        fresh = Watch(watch.config)
        assert fresh.told() == "3 parts ingested"
        assert "new parts: content" not in caplog.text
    assert fresh.registered() == PARTS


def test_a_part_being_written_is_left_alone_and_named(watch: Watch) -> None:
    configure(watch.config.parent, automation={"stable_seconds": 3600})
    assert watch.told() == f"3 new or still being written: {', '.join(PARTS)}"
    assert watch.registered() == []
    configure(watch.config.parent)
    assert watch.requested(watch.tick()) == [PARTS]


def test_a_failed_part_is_named_and_not_asked_for_again_until_it_is_replaced(watch: Watch) -> None:
    (watch.parts / "part-00001").write_text("not a line\n", encoding="utf-8")
    assert watch.execute(watch.tick()) == [False]
    assert watch.ingested() == ["part-00000", "part-00002"]
    message = watch.told()
    assert "1 requested but not ingested" in message
    assert "part-00001" in message
    write(watch.parts / "part-00001")
    done = watch.tick()
    assert watch.requested(done) == [["part-00001"]]
    assert watch.execute(done) == [True]
    assert watch.told() == "3 parts ingested"


def test_a_vanished_part_is_reported_and_nothing_is_deleted(watch: Watch) -> None:
    watch.execute(watch.tick())
    away = (watch.parts / "part-00002").rename(watch.parts.parent / "away")
    for _ in range(2):
        assert watch.told() == "2 parts ingested, 1 vanished: part-00002"
    assert watch.registered() == PARTS
    assert worlds.store_of(watch.config).manifest("tweet_parts", "part-00002") is not None
    away.rename(watch.parts / "part-00002")
    assert watch.told() == "3 parts ingested"


def test_a_bad_file_is_reported_and_the_good_parts_are_taken(watch: Watch) -> None:
    write(watch.parts / "part-00001.gz")
    write(watch.parts / "part-with space")
    done = watch.tick()
    assert watch.requested(done) == [["part-00000", "part-00002"]]
    assert watch.execute(done) == [True]
    message = watch.told()
    assert message.startswith("2 parts ingested; ")
    assert "part-00001 and part-00001.gz are both part part-00001" in message
    assert "part 'part-with space'" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_can_not_be_read_is_reported(watch: Watch) -> None:
    (watch.parts / "part-00001").chmod(0)
    done = watch.tick()
    assert watch.requested(done) == [["part-00000", "part-00002"]]
    watch.execute(done)
    assert "part-00001: Permission denied" in watch.told()


def test_only_the_parts_that_the_settings_ask_for_are_taken(watch: Watch) -> None:
    configure(watch.config.parent, max_n_parts=2)
    assert watch.requested(watch.tick()) == [PARTS[:2]]


def test_parts_that_the_settings_no_longer_ask_for_have_not_vanished(watch: Watch) -> None:
    watch.execute(watch.tick())
    configure(watch.config.parent, max_n_parts=2)
    assert watch.told() == "2 parts ingested"


def test_a_broken_settings_file_or_a_missing_folder_is_one_line_and_loses_nothing(watch: Watch) -> None:
    watch.execute(watch.tick())
    os.utime(watch.parts / "part-00000")
    watch.tick()
    cursor = watch.cursor
    watch.config.write_text("sketch_width: many", encoding="utf-8")
    message = watch.told()
    assert "sketch_width" in message
    assert "\n" not in message
    assert watch.cursor == cursor
    configure(watch.config.parent, recsys_data="raw/nowhere")
    assert watch.told().endswith("raw/nowhere: no such folder; set recsys_data to the folder of the training parts")
    configure(watch.config.parent)
    assert watch.told() == "3 parts ingested"


@pytest.mark.parametrize(
    ("tags", "left"),
    [
        ({"dagster/partition": "part-00001"}, [["part-00000"], ["part-00002"]]),
        ({RANGE_START: "part-00000", RANGE_END: "part-00001"}, [["part-00002"]]),
    ],
)
@pytest.mark.parametrize("job_name", ["ingest_parts", "__ASSET_JOB"])
def test_a_part_in_an_unfinished_run_is_left_to_it(
    watch: Watch, tags: dict[str, str], left: list[list[str]], job_name: str
) -> None:
    register_parts(watch.instance, PARTS)
    run = watch.instance.create_run_for_job(
        watch.definitions.resolve_job_def("ingest_parts")
        if job_name == "ingest_parts"
        else watch.definitions.resolve_implicit_global_asset_job_def(),
        tags=tags,
        status=dg.DagsterRunStatus.STARTED,
        asset_selection=None if job_name == "ingest_parts" else {dg.AssetKey("tweet_parts")},
    )
    done = watch.tick()
    assert watch.requested(done) == left
    watch.execute(done)
    busy = [name for name in PARTS if [name] not in left]
    assert f"{len(busy)} being ingested: {', '.join(busy)}" in watch.told()
    watch.instance.report_run_failed(run)
    assert watch.requested(watch.tick()) == [busy]


def test_a_run_on_other_assets_of_the_parts_holds_nothing_back(watch: Watch) -> None:
    register_parts(watch.instance, PARTS)
    watch.instance.create_run_for_job(
        watch.definitions.resolve_implicit_global_asset_job_def(),
        tags={"dagster/partition": "part-00001"},
        status=dg.DagsterRunStatus.STARTED,
        asset_selection={dg.AssetKey("interaction_features")},
    )
    assert watch.requested(watch.tick()) == [PARTS]


def test_a_new_part_alone_is_a_run_of_its_partition_as_the_daemon_resolves_it(watch: Watch, tmp_path: Path) -> None:
    for name in PARTS[1:]:
        (watch.parts / name).unlink()
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        context = dg.SensorEvaluationContext(
            instance_ref=instance.get_ref(),
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=None,
            repository_name=None,
            repository_def=watch.definitions.get_repository_def(),
            resources={"pipeline": watch.pipeline},
        )
        with context:
            done = watch.definitions.resolve_sensor_def("new_parts").evaluate_tick(context)
    (request,) = done.run_requests or []
    assert request.tags["dagster/partition"] == "part-00000"
    assert request.run_key == f"part-00000:{atomic.sha256(watch.parts / 'part-00000')[:16]}:new"


def test_a_request_that_no_run_came_of_is_made_again_after_a_while(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch.requested(watch.tick()) == [PARTS]
    assert not watch.tick().run_requests
    now = sensor_module.time.time()
    monkeypatch.setattr(sensor_module.time, "time", lambda: now + LOST_SECONDS + 1)
    assert watch.requested(watch.tick()) == [PARTS]


def test_a_request_of_a_clock_that_was_ahead_is_made_again(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watch.requested(watch.tick()) == [PARTS]
    now = sensor_module.time.time()
    monkeypatch.setattr(sensor_module.time, "time", lambda: now - 3600)
    assert watch.requested(watch.tick()) == [PARTS]


def test_a_cursor_from_elsewhere_is_forgotten(watch: Watch) -> None:
    watch.execute(watch.tick())
    watch.cursor = Cursor("elsewhere").to_json().replace("1", "9")
    assert watch.told() == "3 parts ingested"


def test_the_sensor_runs_by_itself_as_often_as_the_settings_say() -> None:
    sensor = parts_sensor(AutomationSettings(sensor_seconds=7))
    assert sensor.minimum_interval_seconds == 7
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.job_name == "ingest_parts"


def test_definitions_with_broken_settings_still_hold_the_sensor(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("sketch_width: many", encoding="utf-8")
    sensor = build_definitions(Pipeline(config=str(config))).resolve_sensor_def("new_parts")
    assert sensor.minimum_interval_seconds == 30


@pytest.mark.parametrize("cron", ["99 99 * * *", "0 3 * * 8", "a b c d e", "*/0 * * * *", "0 3 30 2 *"])
def test_definitions_load_whatever_the_schedule_and_ticks_and_commands_name_it(watch: Watch, cron: str) -> None:
    configure(watch.config.parent, automation={"nightly_cron": cron})
    definitions = build_definitions(Pipeline(config=str(watch.config)))
    schedule = definitions.get_repository_def().get_schedule_def("nightly")
    assert schedule.cron_schedule == "0 3 * * *"
    said = f"automation.nightly_cron: '{cron}' is no cron schedule that can be"
    assert watch.told() == said
    with pytest.raises(UserError, match=re.escape(said)):
        open_pipeline(watch.config, None, None)
