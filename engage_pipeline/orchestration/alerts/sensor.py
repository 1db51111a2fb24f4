"""The sensor that tells a webhook of failed runs and of models that were turned down.

It sends in its own process, so that no run waits for a receiver. What was not taken is tried again at the next ticks,
MOST_TRIES times: the cursor keeps it. Without ENGAGE_ALERT_WEBHOOK there is no sensor.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Self

import dagster as dg
from pydantic import BaseModel, ValidationError

from engage_pipeline.errors import UserError
from engage_pipeline.model.promotion.facts import ModelFacts
from engage_pipeline.orchestration.alerts.notices import Notice, failed_run, turned_down
from engage_pipeline.orchestration.alerts.webhook import Webhook, configured
from engage_pipeline.orchestration.launching import STARTED_BY_TAG
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.plurals import counted

SENSOR = "alerts"
MOST_TRIES = 20
"""About ten minutes; then the notice is given up, and the log of the sensor says so."""
MOST_WAITING = 100
_EVERY_SECONDS = 30
_BUDGET_SECONDS = 20.0
"""For sending, in a tick: Dagster ends one after 60 s."""
_OVERLAP_SECONDS = 120.0
"""Runs that ended this long before the last tick are looked at again: clocks differ, and writes are late."""


class Waiting(BaseModel, frozen=True):
    """A notice that was not taken yet, and how often it was tried."""

    notice: Notice
    tries: int = 0


class Memory(BaseModel, frozen=True):
    """What the sensor remembers: the times of its first and its last tick (Unix seconds), the runs and the candidate
    that it knows of, and the notices that wait."""

    first: float
    last: float
    runs: tuple[str, ...] = ()
    candidate: str = ""
    waiting: tuple[Waiting, ...] = ()

    @classmethod
    def read(cls, cursor: str | None, now: float) -> Self:
        """Reads a cursor; without one, or with a damaged one, what failed before now is not told.

        Times that are still to come are of a clock that was ahead: they count as now.
        """
        try:
            found = cls.model_validate_json(cursor or "")
        except ValidationError:
            return cls(first=now, last=now)
        return found.model_copy(update={"first": min(found.first, now), "last": min(found.last, now)})


def alert_sensors() -> list[dg.SensorDefinition]:
    """Returns the sensor if the environment names a webhook, else nothing; it reads the URL anew at each tick."""
    try:
        wanted = configured() is not None
    except UserError:
        wanted = True  # its ticks say what is wrong
    return [alerts] if wanted else []


@dg.sensor(
    name=SENSOR,
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells the webhook in ENGAGE_ALERT_WEBHOOK of failed runs and of models that were turned down.",
)
def alerts(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SkipReason:
    """Never requests a run."""
    try:
        webhook = configured()
    except UserError as error:
        return dg.SkipReason(str(error))
    if webhook is None:
        return dg.SkipReason("ENGAGE_ALERT_WEBHOOK is not set")
    now = time.time()
    memory = _observed(context.instance, pipeline, Memory.read(context.cursor, now), now)
    memory, sent, problem = _sent(webhook, memory, context)
    context.update_cursor(memory.model_dump_json())
    waits = f"; {counted(len(memory.waiting), 'notice')} waiting: {problem}" if memory.waiting else ""
    return dg.SkipReason(f"{counted(sent, 'notice')} sent{waits}")


def _observed(instance: dg.DagsterInstance, pipeline: Pipeline, memory: Memory, now: float) -> Memory:
    """Adds the notices of what happened since the last tick."""
    runs = list(_failed_runs(instance, memory))
    found = [failed_run(instance, run) for run in runs if not _told_by_another(run)]
    candidate, notice = _judged(pipeline)
    if notice is not None and candidate != memory.candidate:
        found.append(notice)
    return Memory(
        first=memory.first,
        last=now,
        runs=(*memory.runs, *(run.run_id for run in runs))[-1000:],
        candidate=candidate or memory.candidate,
        waiting=(*memory.waiting, *(Waiting(notice=one) for one in found))[-MOST_WAITING:],
    )


def _failed_runs(instance: dg.DagsterInstance, memory: Memory) -> Iterator[dg.DagsterRun]:
    """Yields the runs that failed since the last tick, the oldest first."""
    after = datetime.fromtimestamp(max(memory.first, memory.last - _OVERLAP_SECONDS), UTC)
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=after)
    for record in reversed(instance.get_run_records(filters=failed, limit=1000)):
        if record.dagster_run.run_id not in memory.runs:
            yield record.dagster_run


def _told_by_another(run: dg.DagsterRun) -> bool:
    """Returns whether another run started this one, fails with it and is told instead. Who runs a run again, in the UI,
    gives it the tags of the first time; its starter has ended."""
    return STARTED_BY_TAG in run.tags and run.parent_run_id is None


def _judged(pipeline: Pipeline) -> tuple[str, Notice | None]:
    """Returns the last candidate that was decided on, and the notice if it was turned down."""
    try:
        manifest = pipeline.store().manifest("trained_model")
        return ("", None) if manifest is None else (ModelFacts.read(manifest).candidate or "", turned_down(manifest))
    except (UserError, KeyError):  # a damaged manifest, or one of an earlier version: who reads it says so
        return "", None


def _sent(webhook: Webhook, memory: Memory, context: dg.SensorEvaluationContext) -> tuple[Memory, int, str]:
    """Sends what waits, in its order, up to the first that is not taken; returns the number, and why one was not."""
    deadline = time.monotonic() + _BUDGET_SECONDS
    waiting, sent, problem = list(memory.waiting), 0, ""
    while waiting and not problem and time.monotonic() < deadline:
        problem = webhook.send(waiting[0].notice)
        if not problem:
            waiting.pop(0)
            sent += 1
        elif waiting[0].tries + 1 < MOST_TRIES:
            waiting[0] = Waiting(notice=waiting[0].notice, tries=waiting[0].tries + 1)
        else:
            context.log.error(f"given up after {MOST_TRIES} tries ({problem}): {waiting.pop(0).notice.title}")
    return memory.model_copy(update={"waiting": tuple(waiting)}), sent, problem
