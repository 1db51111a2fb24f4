"""Runs whose process was killed, told apart from runs that are alive or elsewhere."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.orchestration.dead_runs import PROCESS_TAG, close_dead_runs, dead_runs, executed_here
from engage_pipeline_tests import worlds

PRINT_PROCESS = "from engage_pipeline.orchestration.dead_runs import executed_here; print(executed_here(''))"


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.local_temp(str(tmp_path))


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


def test_the_pools_of_a_dead_run_are_free_again(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes((worlds.REPOSITORY / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        dead = started(instance, ended_process())
        storage = instance.event_log_storage
        storage.set_concurrency_slots("ingest", 1)
        assert storage.claim_concurrency_slot("ingest", dead, "tweet_parts").is_claimed
        assert not storage.claim_concurrency_slot("ingest", "another", "tweet_parts").is_claimed
        with dg.build_sensor_context(instance) as context:
            skip = dead_runs(context)
        assert isinstance(skip, dg.SkipReason)
        assert dead in str(skip.skip_message)
        assert storage.claim_concurrency_slot("ingest", "another", "tweet_parts").is_claimed


def test_the_pools_of_a_run_that_dagster_closed_are_free_once_its_process_is_gone(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes((worlds.REPOSITORY / "dagster.yaml").read_bytes())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("ingest", 2)
        for process in (ended_process(), this_process()):
            run = instance.get_run_by_id(started(instance, process))
            assert run is not None
            assert storage.claim_concurrency_slot("ingest", run.run_id, "tweet_parts").is_claimed
            instance.report_run_failed(run)
        assert close_dead_runs(instance) == []
        assert storage.claim_concurrency_slot("ingest", "another", "tweet_parts").is_claimed
        assert not storage.claim_concurrency_slot("ingest", "a third", "tweet_parts").is_claimed


def test_this_process_is_told_from_another_start_of_its_number() -> None:
    host, pid, start = this_process().split(":")
    assert int(pid) == os.getpid()
    assert int(start) > 0
    assert host
