"""Runs whose process was killed, told apart from runs that are alive or elsewhere."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.test_utils import create_run_for_test, create_test_daemon_workspace_context
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.controller import create_daemon_of_type

from engage_pipeline.orchestration.dead_runs import PROCESS_TAG, ask_again, close_dead_runs, dead_runs, executed_here
from engage_pipeline_tests import worlds

PRINT_PROCESS = "from engage_pipeline.orchestration.dead_runs import executed_here; print(executed_here(''))"

CODE = """import dagster as dg

@dg.op
def step(): ...

@dg.job
def work(): step()

definitions = dg.Definitions(jobs=[work])
"""


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.local_temp(str(tmp_path))


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with the settings of this repository."""
    (tmp_path / "dagster.yaml").write_bytes((worlds.REPOSITORY / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def ended_process() -> str:
    done = subprocess.run([sys.executable, "-c", PRINT_PROCESS], capture_output=True, text=True, check=True)
    return done.stdout.strip().removesuffix(":")


def this_process() -> str:
    return executed_here("").removesuffix(":")


def started(instance: dg.DagsterInstance, process: str | None, tagged_as: str | None = None) -> str:
    run_id = str(uuid.uuid4())
    tags = {} if process is None else {PROCESS_TAG: f"{process}:{tagged_as or run_id}"}

    @dg.job
    def work() -> None: ...

    instance.create_run_for_job(work, run_id=run_id, tags=tags, status=dg.DagsterRunStatus.STARTED)
    return run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_only_a_run_whose_process_is_gone_is_closed(instance: dg.DagsterInstance) -> None:
    dead = started(instance, ended_process())
    host, pid, start = this_process().split(":")
    reused = started(instance, f"{host}:{pid}:{int(start) - 1}")
    others = [this_process(), f"other-machine:{pid}:1", "nonsense", None]
    alive = [started(instance, process) for process in others]
    assert set(close_dead_runs(instance)) == {dead, reused}
    assert status(instance, dead) is status(instance, reused) is dg.DagsterRunStatus.FAILURE
    assert {status(instance, run) for run in alive} == {dg.DagsterRunStatus.STARTED}
    assert close_dead_runs(instance) == []


def test_a_second_attempt_is_not_closed_for_the_process_of_the_first(instance: dg.DagsterInstance) -> None:
    process = ended_process()
    first = started(instance, process)
    second = started(instance, process, tagged_as=first)
    assert close_dead_runs(instance) == [first]
    assert status(instance, second) is dg.DagsterRunStatus.STARTED


def test_the_pools_of_a_dead_run_are_free_again(ours: dg.DagsterInstance) -> None:
    dead = started(ours, ended_process())
    storage = ours.event_log_storage
    storage.set_concurrency_slots("ingest", 1)
    assert storage.claim_concurrency_slot("ingest", dead, "tweet_parts").is_claimed
    assert not storage.claim_concurrency_slot("ingest", "another", "tweet_parts").is_claimed
    with dg.build_sensor_context(ours) as context:
        skip = dead_runs(context)
    assert isinstance(skip, dg.SkipReason)
    assert dead in str(skip.skip_message)
    assert storage.claim_concurrency_slot("ingest", "another", "tweet_parts").is_claimed


def test_the_pools_of_a_run_that_dagster_closed_are_free_once_its_process_is_gone(ours: dg.DagsterInstance) -> None:
    storage = ours.event_log_storage
    storage.set_concurrency_slots("ingest", 2)
    for process in (ended_process(), this_process()):
        run = ours.get_run_by_id(started(ours, process))
        assert run is not None
        assert storage.claim_concurrency_slot("ingest", run.run_id, "tweet_parts").is_claimed
        ours.report_run_failed(run)
    assert close_dead_runs(ours) == []
    assert storage.claim_concurrency_slot("ingest", "another", "tweet_parts").is_claimed
    assert not storage.claim_concurrency_slot("ingest", "a third", "tweet_parts").is_claimed


def test_what_is_not_to_be_done_again_is_not_asked_for(ours: dg.DagsterInstance) -> None:
    run = ours.get_run_by_id(started(ours, this_process()))
    assert run is not None
    ours.report_run_failed(run, job_failure_data=JobFailureData(None, RunFailureReason.STEP_FAILURE))
    assert ask_again(ours, datetime.now(UTC) + timedelta(minutes=1)) == []


def test_this_process_is_told_from_another_start_of_its_number() -> None:
    host, pid, start = this_process().split(":")
    assert int(pid) == os.getpid()
    assert int(start) > 0
    assert host


def test_a_failure_that_the_daemon_read_too_early_is_asked_for_once_more(
    ours: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon reads the event before the status says so: it takes the run for one that goes on, and moves on."""
    code = tmp_path / "code.py"
    code.write_text(CODE, encoding="utf-8")
    target = PythonFileTarget(str(code), None, str(tmp_path), "here")
    with create_test_daemon_workspace_context(target, ours) as context:
        daemon = create_daemon_of_type(EventLogConsumerDaemon.daemon_type(), ours)
        list(daemon.run_iteration(context))
        (entry,) = context.create_request_context().get_code_location_entries().values()
        assert entry.code_location is not None
        job = entry.code_location.get_job(JobSubsetSelector("here", "__repository__", "work", None))
        run = create_run_for_test(
            ours,
            "work",
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/retry_strategy": "ALL_STEPS"},
            job_snapshot=job.job_snapshot,
            remote_job_origin=job.get_remote_origin(),
        )
        update = ours.run_storage.handle_run_event

        def late(*event: Any) -> None:
            list(daemon.run_iteration(context))
            update(*event)

        with monkeypatch.context() as during:
            during.setattr(ours.run_storage, "handle_run_event", late)
            ours.report_run_failed(run)

        def attempts() -> int:
            list(daemon.run_iteration(context))
            return len(ours.get_runs()) - 1

        assert attempts() == 0
        now = datetime.now(UTC)
        assert ask_again(ours, now) == [], "the daemon may read of it in this moment"
        later = now + timedelta(minutes=1)
        assert ask_again(ours, later) == [run.run_id]
        assert ask_again(ours, later + timedelta(minutes=1)) == []
        assert (attempts(), attempts()) == (1, 1)
