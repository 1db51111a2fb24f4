"""The nightly schedule: refreshes and retrains if training parts have changed since the last training."""

import dagster as dg

from engage_pipeline.errors import UserError
from engage_pipeline.model.promotion.retraining import CANDIDATE, candidate_waits, changes_since_training
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.plurals import counted
from engage_pipeline.settings.operating import AutomationSettings
from engage_pipeline.store.store import ArtifactStore

JOB = "retrain"
_UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def nightly_decision(store: ArtifactStore, *, running: bool) -> tuple[bool, str]:
    """Returns whether to retrain, and the reason. The first training is a person's decision, never made here."""
    if running:
        return False, "the last retraining is still running"
    changes = changes_since_training(store)
    if changes is None:
        return False, "there is no model yet: start the first training with the job `everything` or `engage run`"
    if not changes and candidate_waits(store):
        return True, "the last training ended before it was decided whether its model predicts"
    if not changes:
        parts = counted(len(store.parts_of(CANDIDATE)), "part")
        return False, f"no part has changed since the last training ({parts})"
    return True, str(changes)


def nightly_schedule(settings: AutomationSettings) -> dg.ScheduleDefinition:
    """Makes the schedule with the time of `settings`."""

    @dg.schedule(
        name="nightly",
        job_name=JOB,
        cron_schedule=settings.nightly_cron,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Refreshes and retrains if training parts have changed since the last training, else skips.",
    )
    def nightly(context: dg.ScheduleEvaluationContext, pipeline: Pipeline) -> dg.RunRequest | dg.SkipReason:
        unfinished = dg.RunsFilter(job_name=JOB, statuses=_UNFINISHED)
        running = bool(context.instance.get_runs(filters=unfinished, limit=1))
        try:
            retrain, reason = nightly_decision(pipeline.store(), running=running)
        except UserError as error:
            return dg.SkipReason(str(error))
        if not retrain:
            return dg.SkipReason(reason)
        context.log.info("retraining: %s", reason)
        return dg.RunRequest(tags={"engage/reason": reason[:200]})

    return nightly
