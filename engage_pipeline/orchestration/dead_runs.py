"""Closes runs whose process was killed, so that they neither look alive nor block others.

A run records its process when its first step starts. What does not belong here: starting a dead run again, which the
daemon does (`run_retries` in dagster.yaml). It may miss a failure that it reads before the run's status says so, and
never looks again; `ask_again` reports such a failure once more.
"""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

PROCESS_TAG = ".dagster/engage_process"
"""`host:process id:start time in clock ticks since the machine's start:run id` of the process that executes a run.

Dagster hides tags of this prefix in the UI. The id is needed because a second attempt inherits the tags of the first,
and may wait long before its first step.
"""
ASKED_TAG = ".dagster/engage_asked_again"
"""The run's id, on a run whose failure was reported once more: a second attempt inherits the tags of the first."""
_marked: set[str] = set()
_EVERY_SECONDS = 30
_WAIT = timedelta(seconds=20)
"""The daemon reads failures every 5 s."""
_AFTERWARDS = timedelta(days=1)
"""A failure that is older is left to people."""


def executed_here(run_id: str) -> str:
    """Returns the value of PROCESS_TAG for a run that this process executes."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_time(os.getpid())}:{run_id}"


def mark_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Records that this process executes the run."""
    if run.run_id not in _marked:
        _marked.add(run.run_id)
        if run.tags.get(PROCESS_TAG) != executed_here(run.run_id):
            instance.add_run_tags(run.run_id, {PROCESS_TAG: executed_here(run.run_id)})


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Marks started runs whose process is gone as failed and frees their pools; returns their ids.

    It also frees the pools of runs that Dagster closed: Dagster notices a killed process at once, but holds its pools
    for minutes.
    """
    closed = []
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    gone = [run.run_id for run in instance.get_runs(filters=started) if _process_is_gone(run)]
    # Read again: a run that ended normally in between has another status now.
    for run in instance.get_runs(filters=dg.RunsFilter(run_ids=gone)) if gone else []:
        if run.status is dg.DagsterRunStatus.STARTED:
            instance.report_run_failed(run, message="its process is gone: it was killed, or the machine was restarted")
            closed.append(run.run_id)
    holders = list(instance.event_log_storage.get_concurrency_run_ids())
    for run in instance.get_runs(filters=dg.RunsFilter(run_ids=holders)) if holders else []:
        if run.is_finished and _process_is_gone(run):
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return closed


def ask_again(instance: dg.DagsterInstance, now: datetime) -> list[str]:
    """Reports once more what failed, is to be done again, and is not; returns the ids of the runs.

    The daemon makes one second attempt however often it reads of a failure.
    """
    failed = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - _AFTERWARDS, updated_before=now - _WAIT
    )
    waiting = [run for run in instance.get_runs(filters=failed) if run.is_complete_and_waiting_to_retry]
    forgotten = [run for run in waiting if run.tags.get(ASKED_TAG) != run.run_id]
    for run in forgotten:
        instance.add_run_tags(run.run_id, {ASKED_TAG: run.run_id})
        instance.report_run_failed(run, message="it is to be done again and is not: asked once more")
    return [run.run_id for run in forgotten]


@dg.sensor(
    name="dead_runs",
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Closes runs whose process was killed, so that they don't block others and are done again.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Never requests a run."""
    closed = close_dead_runs(context.instance)
    asked = ask_again(context.instance, datetime.now(UTC))
    did = [f"{what} {', '.join(runs)}" for what, runs in (("closed", closed), ("asked again for", asked)) if runs]
    return dg.SkipReason("; ".join(did) or "every started run is alive")


def _process_is_gone(run: dg.DagsterRun) -> bool:
    """Returns whether the run's process has ended; False if unknown: on another machine, or without a tag."""
    host, _, rest = run.tags.get(PROCESS_TAG, "").partition(":")
    pid, _, rest = rest.partition(":")
    started, _, run_id = rest.partition(":")
    if host != socket.gethostname() or not pid.isdecimal() or run_id != run.run_id:
        return False
    return _start_time(int(pid)) != started


def _start_time(pid: int) -> str:
    """Returns a process's start in clock ticks since boot (field 22 of /proc/<pid>/stat); empty if it is gone."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else fields[18]
