"""Failed runs and models that are turned down reach a real receiver once, without a word of the data."""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.definitions import build_definitions
from engage_pipeline.orchestration.alerts.sensor import MOST_TRIES, Memory, alert_sensors, alerts
from engage_pipeline.orchestration.alerts.webhook import VARIABLE
from engage_pipeline.orchestration.launching import STARTED_BY_TAG
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds
from engage_pipeline_tests.orchestration.alerts.receiver import Receiver, receiver

PERSON = "0123456789ABCDEF" * 2


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(config=str(worlds.write_config(tmp_path)))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as running:
        monkeypatch.setenv(VARIABLE, running.url)
        yield running


def tick(instance: dg.DagsterInstance, pipeline: Pipeline, cursor: str | None) -> tuple[str, str]:
    """The cursor and the message of a tick after `cursor`."""
    with dg.build_sensor_context(instance, cursor=cursor, resources={"pipeline": pipeline}) as context:
        skip = alerts(context)
        assert isinstance(skip, dg.SkipReason)
        return context.cursor or "", str(skip.skip_message)


def fail(instance: dg.DagsterInstance, **tags: str) -> str:
    """A run whose step fails with a person's id and text in its error; returns its id."""

    @dg.op
    def tweet_parts() -> None:
        raise ValueError(f"line 5: engaging_user_id: '{PERSON}' wrote a secret text")

    @dg.job
    def ingest_parts() -> None:
        tweet_parts()

    return str(ingest_parts.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id)


def test_a_failed_run_is_told_once_and_says_nothing_of_the_data(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Receiver
) -> None:
    fail(instance)  # before the first tick: not told
    cursor, _ = tick(instance, pipeline, None)
    assert found.got == []
    run_id = fail(instance, **{"dagster/partition": "part-00003"})
    fail(instance, **{STARTED_BY_TAG: run_id})  # its parent is told
    cursor, said = tick(instance, pipeline, cursor)
    assert said == "1 notice sent"
    ((_, _, body),) = found.got
    assert (body["event"], body["job"], body["run_id"]) == ("run_failed", "ingest_parts", run_id)
    assert (body["failed"], body["part"]) == (["tweet_parts"], "part-00003")
    assert body["text"].startswith("It failed at tweet_parts (part-00003). ")
    for secret in (PERSON, PERSON[:8], "secret", "line 5"):
        assert secret not in json.dumps(found.got) + cursor
    assert tick(instance, pipeline, cursor)[1] == "0 notices sent"
    assert len(found.got) == 1


def test_a_run_of_the_command_line_is_told_too(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Receiver
) -> None:
    cursor, _ = tick(instance, pipeline, None)

    @dg.asset
    def trees() -> None:
        raise ValueError

    for user in ("engage run", "jane"):
        dg.materialize([trees], instance=instance, raise_on_error=False, tags={"user": user})
    tick(instance, pipeline, cursor)
    assert [body["title"] for _, _, body in found.got] == [
        "engage run failed",
        "engage: a run of materialize failed",
    ]


def test_what_is_not_taken_waits_and_is_given_up_in_the_end(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Receiver
) -> None:
    found.answers = [500, 500, 200]
    cursor, _ = tick(instance, pipeline, None)
    fail(instance), fail(instance)
    cursor, said = tick(instance, pipeline, cursor)
    assert (said, len(found.got)) == ("0 notices sent; 2 notices waiting: it answered 500", 1)
    cursor, said = tick(instance, pipeline, cursor)
    cursor, said = tick(instance, pipeline, cursor)
    assert (said, len(found.got)) == ("2 notices sent", 4)
    found.answers = [500]
    fail(instance)
    for _ in range(MOST_TRIES):
        assert json.loads(cursor)["waiting"] == [] or len(json.loads(cursor)["waiting"]) == 1
        cursor, said = tick(instance, pipeline, cursor)
    assert said == "0 notices sent"
    assert json.loads(cursor)["waiting"] == []


def test_a_receiver_that_hangs_ends_the_tick_in_time(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engage_pipeline.orchestration.alerts.webhook.Webhook.send.__defaults__", (0.3,))
    found.answers = ["hang"]
    cursor, _ = tick(instance, pipeline, None)
    for _ in range(5):
        fail(instance)
    cursor, said = tick(instance, pipeline, cursor)
    assert said.startswith("0 notices sent; 5 notices waiting: ")
    assert len(found.got) == 1  # the others are not tried in this tick


def test_a_model_that_is_turned_down_is_told_once(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {
        "candidate": "c1",
        "promoted": False,
        "decision": f"turned down: {PERSON}",
        "rce": {"candidate": {"mean": 3.25}},
    }

    class Judged:
        def __init__(self, **changed: object) -> None:
            self.facts, self.artifact, self.key = facts | changed, "trained_model", None
            self.directory = "a-1"

    monkeypatch.setattr("engage_pipeline.store.store.ArtifactStore.manifest", lambda *_: Judged())
    cursor, _ = tick(instance, pipeline, None)
    body = found.got[0][2]
    assert (body["event"], body["candidate"], body["mean_rce"]) == ("candidate_turned_down", "c1", {"candidate": 3.25})
    assert "candidate 3.25" in body["text"]
    assert PERSON not in json.dumps(body)
    cursor, _ = tick(instance, pipeline, cursor)
    assert len(found.got) == 1
    for changed in ({"promoted": True}, {"rolled_back_at": "2026-11-26T00:00:00+00:00"}, {"promoted": None}):
        judged = Judged(candidate=f"c{changed}", **changed)
        monkeypatch.setattr("engage_pipeline.store.store.ArtifactStore.manifest", lambda *_, judged=judged: judged)
        cursor, _ = tick(instance, pipeline, cursor)
        assert len(found.got) == 1


def test_without_a_webhook_there_is_no_sensor(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert alert_sensors() == []
    assert "alerts" not in {sensor.name for sensor in build_definitions(pipeline).sensors or []}
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1/x")
    assert "alerts" in {sensor.name for sensor in build_definitions(pipeline).sensors or []}
    assert alerts.default_status is dg.DefaultSensorStatus.RUNNING


def test_a_wrong_url_is_told_in_the_tick(
    instance: dg.DagsterInstance, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "slack")
    assert alert_sensors() == [alerts]
    assert tick(instance, pipeline, None) == ("", "ENGAGE_ALERT_WEBHOOK: not an http:// or https:// URL")


def test_a_run_that_a_person_runs_again_is_told_although_another_run_had_started_it(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Receiver
) -> None:
    """Dagster gives it the tags of the first time, and the ids of that run."""
    cursor, _ = tick(instance, pipeline, None)
    first = fail(instance, **{STARTED_BY_TAG: "a job that ended"})
    cursor, said = tick(instance, pipeline, cursor)
    assert said == "0 notices sent"
    again = dg.DagsterRun(
        "ingest_parts",
        run_id=str(uuid.uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        parent_run_id=first,
        root_run_id=first,
        tags={STARTED_BY_TAG: "a job that ended"},
    )
    instance.add_run(again)
    instance.report_run_failed(again)
    assert tick(instance, pipeline, cursor)[1] == "1 notice sent"


def test_a_clock_that_was_ahead_hides_no_failure(
    instance: dg.DagsterInstance, pipeline: Pipeline, found: Receiver
) -> None:
    ahead = Memory(first=time.time() + 3600, last=time.time() + 3600).model_dump_json()
    cursor, _ = tick(instance, pipeline, ahead)
    fail(instance)
    assert tick(instance, pipeline, cursor)[1] == "1 notice sent"


def test_a_damaged_cursor_begins_anew() -> None:
    assert Memory.read("{", 5.0) == Memory.read(None, 5.0) == Memory(first=5.0, last=5.0)
