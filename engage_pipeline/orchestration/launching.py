"""How the runs that this program executes itself appear in Dagster's UI: who launched them, and on the timeline.

What does not belong here: executing runs (running), and noting their process (dead_runs).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import dagster as dg
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from engage_pipeline.orchestration.partitions import RANGE_END, RANGE_START

RUN_COMMAND, BACKFILL_COMMAND, FORGET_COMMAND = COMMANDS = ("engage run", "engage backfill", "engage forget")
"""Commands that execute runs."""
STARTED_BY_TAG = "engage/started_by"
"""Tag of a run that another run started: that one's id."""
LAUNCHERS = ("dagster/schedule_name", "dagster/sensor_name", "user")
"""Tags that the UI shows under *Launched by*, without which it says *Manually launched*."""
MODULE = "engage_pipeline.definitions"
LOCATION, REPOSITORY, JOB = "engage_pipeline", "__repository__", "__ASSET_JOB"
"""The code location of workspace.yaml, and Dagster's names for its repository and the job of all assets."""


def launched_by(instance: dg.DagsterInstance, command: str, started_by: str | None = None) -> dict[str, str]:
    """Returns the tags that say who launched a run: `command`, such as `engage run`, or the run `started_by`.

    A run that was started by another has its launcher: schedule, sensor or user, else its job.
    """
    if started_by is None:
        return {"user": command}
    parent = instance.get_run_by_id(started_by)
    found = {} if parent is None else {tag: parent.tags[tag] for tag in LAUNCHERS if tag in parent.tags}
    job = f"job {parent.job_name}" if parent else "a job"
    return {STARTED_BY_TAG: started_by, **(found or {"user": job})}


def runs_in_words(instance: dg.DagsterInstance, started_by: str) -> str:
    """Returns the runs that the run `started_by` started as a Markdown table, the first one first, with links."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={STARTED_BY_TAG: started_by}))
    lines = ["| run | artifacts | parts | status |", "|---|---|---|---|"]
    for run in reversed(runs):
        artifacts = ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ()))
        parts = " to ".join(dict.fromkeys(run.tags[tag] for tag in (RANGE_START, RANGE_END) if tag in run.tags))
        lines.append(f"| [{run.run_id[:8]}](/runs/{run.run_id}) | {artifacts} | {parts} | {run.status.value.lower()} |")
    return "\n".join(lines)


@contextmanager
def on_the_timeline(instance: dg.DagsterInstance) -> Iterator[None]:
    """Gives the runs that are created in the block their place in the UI: its timeline leaves out runs without one.

    Dagster's execute_in_process takes no origin of a run.
    """
    target = LoadableTargetOrigin(module_name=MODULE)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), JOB)
    vars(instance)["create_run_for_job"] = partial(instance.create_run_for_job, remote_job_origin=origin)
    try:
        yield
    finally:
        del vars(instance)["create_run_for_job"]
