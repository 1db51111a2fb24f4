"""`engage run`: plans what has to be made again and has Dagster make it, segment by segment, in this process."""

import logging
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import dagster as dg

from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.catalogue import ARTIFACTS, ancestry
from engage_pipeline.definitions import build_definitions
from engage_pipeline.errors import UserError
from engage_pipeline.manifests import label
from engage_pipeline.metrics import format_table
from engage_pipeline.model.evaluation import read_scores
from engage_pipeline.partitions import PARTS, register_parts
from engage_pipeline.plan import SEGMENTS, Step, plan_segment, raw_sources, training_parts
from engage_pipeline.resources import Pipeline

LOGGER = logging.getLogger("engage_pipeline")
PROCESS_TAG = "engage/process"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_pipeline(pipeline: Pipeline, instance: dg.DagsterInstance, target: str | None = None) -> list[Step]:
    """Makes everything that is stale, or only `target` and what it is made of; returns what was made, in order.

    Raises UserError, before any work, where a raw file is missing, and with the reason where an asset fails.
    """
    settings = pipeline.settings()
    definitions = build_definitions(pipeline)
    for name in ("validation_tweets", "test_tweets"):
        raw_sources(settings, name)
    register_parts(instance, training_parts(settings))
    _close_dead_runs(instance)
    store = pipeline.store()
    done: list[Step] = []
    wanted = ARTIFACTS.keys() if target is None else ancestry(target)
    for names in SEGMENTS:
        steps = plan_segment(store, [name for name in names if name in wanted])
        for step in steps:
            LOGGER.info("%s: to be made (%s)", label(step.artifact, step.key), step.reason)
        for batch in _batches(instance, steps):
            _materialize(definitions, instance, batch)
        done += steps
    return done


def summary(store: ArtifactStore, made: Sequence[Step]) -> str:
    """The scores of the holdout and the places of results.csv and the report."""
    scores = read_scores(store.open("evaluation").path("scores.json"))
    seconds = sum(store.open(step.artifact, step.key).manifest.facts["seconds"] for step in made)
    return "\n".join(
        [
            f"{len(made)} artifacts made in {seconds:.0f} s" if made else "everything is up to date",
            "",
            format_table(scores),
            "",
            f"results: {store.open('submission').path('results.csv')}",
            f"report:  {store.open('evaluation').path('report.html')}",
        ]
    )


def _batches(instance: dg.DagsterInstance, steps: Sequence[Step]) -> list[list[Step]]:
    """Steps that one Dagster run can make: the unpartitioned ones together, parts by contiguous range of keys."""
    if not steps or steps[0].key is None:
        return [list(steps)] if steps else []
    order = {key: index for index, key in enumerate(instance.get_dynamic_partitions(str(PARTS.name)))}
    ordered = sorted(steps, key=lambda step: order[str(step.key)])
    runs = groupby(enumerate(ordered), key=lambda pair: order[str(pair[1].key)] - pair[0])
    return [[step for _, step in run] for _, run in runs]


def _materialize(definitions: dg.Definitions, instance: dg.DagsterInstance, steps: Sequence[Step]) -> None:
    tags = {PROCESS_TAG: str(os.getpid())}
    if steps[0].key is not None:
        tags |= {RANGE_START: str(steps[0].key), RANGE_END: str(steps[-1].key)}
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(name) for name in dict.fromkeys(step.artifact for step in steps)],
        run_config=_QUIET,
        tags=tags,
        raise_on_error=False,
    )
    if not result.success:
        raise UserError(_failure(result))


def _failure(result: dg.ExecuteInProcessResult) -> str:
    """The first failed step's own words; an unforeseen error keeps its type and goes to the log with its trace."""
    checks = [check for check in result.get_asset_check_evaluations() if not check.passed and check.blocking]
    if checks:
        return f"{checks[0].asset_key.to_user_string()}: check {checks[0].check_name} failed: {checks[0].description}"
    for event in result.all_node_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.user_failure_data is not None:
                return f"{event.step_key}: {failure.user_failure_data.description}"
            if failure.error is not None:
                cause = failure.error.cause or failure.error
                LOGGER.error("%s", cause.to_string())
                return f"{event.step_key}: {cause.message.strip()}"
    return f"run {result.run_id} failed: see its log in the Dagster UI"


def _close_dead_runs(instance: dg.DagsterInstance) -> None:
    """Marks runs of `engage run` whose process was killed as failed, so that the UI does not show them running."""
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    for run in instance.get_runs(filters=started):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and not Path(f"/proc/{process}").exists():
            instance.report_run_failed(run, message=f"process {process} is gone")
