"""Runs whose process was killed: they are closed, so that they neither look alive nor hold back others.

A run notes its process when its first step starts. What does not belong here: starting a dead run again, which the
daemon does (`run_retries` in dagster.yaml).
"""

import os
import socket
from pathlib import Path

import dagster as dg

PROCESS_TAG = "engage/process"
"""`host:process id:start time in clock ticks since the machine's start` of the process that executes a run."""
_marked: set[str] = set()
_EVERY_SECONDS = 30


def this_process() -> str:
    """The value of PROCESS_TAG for this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_time(os.getpid())}"


def mark_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Notes that this process executes the run."""
    if run.run_id not in _marked:
        _marked.add(run.run_id)
        if run.tags.get(PROCESS_TAG) != this_process():
            instance.add_run_tags(run.run_id, {PROCESS_TAG: this_process()})


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Marks the started runs whose process is gone as failed and gives back their pools; returns their ids.

    The pools of a run that Dagster closed itself are given back too: it notices a killed process at once, but lets the
    pools wait for minutes, and whoever needs them.
    """
    closed = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if _is_gone(run.tags.get(PROCESS_TAG, "")):
            instance.report_run_failed(run, message="its process is gone: it was killed, or the machine was restarted")
            closed.append(run.run_id)
    holders = list(instance.event_log_storage.get_concurrency_run_ids())
    for run in instance.get_runs(filters=dg.RunsFilter(run_ids=holders)) if holders else []:
        if run.is_finished and _is_gone(run.tags.get(PROCESS_TAG, "")):
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return closed


@dg.sensor(
    name="dead_runs",
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Closes runs whose process was killed, so that they don't hold back others.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Never requests a run."""
    closed = close_dead_runs(context.instance)
    return dg.SkipReason(f"closed {', '.join(closed)}" if closed else "every started run is alive")


def _is_gone(process: str) -> bool:
    """Whether the process of a PROCESS_TAG has ended. Of another machine's, or without a tag, nothing is known."""
    host, _, identity = process.partition(":")
    pid, _, started = identity.partition(":")
    return host == socket.gethostname() and pid.isdecimal() and _start_time(int(pid)) != started


def _start_time(pid: int) -> str:
    """Start of the process in clock ticks since the machine's (field 22 of /proc/<pid>/stat); empty if it is gone."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else fields[18]
