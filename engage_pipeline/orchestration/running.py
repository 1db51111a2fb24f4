"""`engage run`: plans what to make again, and runs it by Dagster in this process, segment by segment."""

import logging
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.errors import UserError
from engage_pipeline.machine import stopping
from engage_pipeline.metrics import format_table
from engage_pipeline.model.evaluation.holdout import SCORES, read_scores
from engage_pipeline.model.promotion.facts import DecisionFacts, shown_time
from engage_pipeline.model.promotion.predicting import lacks_model
from engage_pipeline.model.promotion.promotion import held_model
from engage_pipeline.orchestration.assets.materializing import PLANNED, SKIPPED, UNCHANGED
from engage_pipeline.orchestration.checks.failed_warnings import FailedWarnings
from engage_pipeline.orchestration.dead_runs import PROCESS_TAG, close_dead_runs, executed_here
from engage_pipeline.orchestration.failures import Problems, in_lines, problems_of
from engage_pipeline.orchestration.graph import build_graph
from engage_pipeline.orchestration.history import held_open
from engage_pipeline.orchestration.launching import RUN_COMMAND, launched_by, on_the_timeline
from engage_pipeline.orchestration.partitions import PARTS, RANGE_END, RANGE_START, register_parts
from engage_pipeline.orchestration.pools import runs_in_pools, set_up_pools
from engage_pipeline.orchestration.preflight import require_ready
from engage_pipeline.orchestration.resources import AnyPipeline
from engage_pipeline.plurals import counted
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import label
from engage_pipeline.store.mirror.following import send_unsent
from engage_pipeline.store.plan import SEGMENTS, Step, parts_a_run, plan_segment, training_parts
from engage_pipeline.store.staleness import NOT_THERE
from engage_pipeline.store.store import ArtifactStore

LOGGER = logging.getLogger("engage_pipeline")
SUBMISSION = "submission"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_pipeline(
    pipeline: AnyPipeline,
    instance: dg.DagsterInstance,
    wanted: Collection[str] = ARTIFACTS.keys(),
    *,
    command: str = RUN_COMMAND,
    started_by: str | None = None,
    only_made: bool = False,
    warnings: FailedWarnings | None = None,
    made: list[Step] | None = None,
) -> list[Step]:
    """Makes the stale artifacts among `wanted`; returns the steps that were made, in order.

    `command` asks for this, or the Dagster run with the id `started_by`. With `only_made`, artifacts that were never
    made are left out. `warnings` records the results of the checks, and `made` each step that was made, also before an
    error. The settings are read once, and what another run makes meanwhile is not made again. Raises UserError before
    any work if something is missing (preflight), and with the reason if an asset fails.
    """
    pipeline = pipeline.held()
    settings = pipeline.settings()
    require_ready(pipeline.store(), wanted)
    definitions = build_graph(pipeline)
    if "tweet_parts" in wanted:
        register_parts(instance, training_parts(settings))
    close_dead_runs(instance)
    store = pipeline.store()
    send_unsent(store)
    done = [] if made is None else made
    tags = {PLANNED: "true", **launched_by(instance, command, started_by)}
    for names in _together(store, wanted):
        steps = plan_segment(store, names)
        if only_made:
            steps = [step for step in steps if store.current(step.artifact, step.key) is not None]
        steps = _that_can_be_made(store, steps)
        for step in steps:
            LOGGER.info("%s: to be made (%s)", label(step.artifact, step.key), step.reason)
        if keys := [step.key for step in steps if step.key is not None]:
            # A part may have come since those of the folder were; one of `keys` may have a damaged manifest.
            register_parts(instance, [*store.readable_parts(), *keys])
        runs = batches(instance, steps, settings)
        if failures := materialize(definitions, instance, runs, tags, warnings, done):
            raise UserError("; ".join(failures))
    return done


def _together(store: ArtifactStore, wanted: Collection[str]) -> Iterator[list[str]]:
    """Yields the wanted names of segments that are planned and made together, each once those before are made.

    A segment joins the one before if nothing of it was ever made: whatever comes out above, all of it must be made. But
    what is wrong with raw files stops all before anything is learned from them, and the submission needs a model that
    predicts, so these segments stay alone.
    """
    left = list(SEGMENTS)
    while left:
        first = left.pop(0)
        names = [name for name in first if name in wanted]
        while left and not any(map(_stays_alone, (*first, *left[0]))):
            following = [name for name in left[0] if name in wanted]
            if any(store.stale(name) != NOT_THERE for name in following):
                break
            names += following
            del left[0]
        yield names


def _stays_alone(name: str) -> bool:
    artifact = ARTIFACTS[name]
    return artifact.partitioned or artifact.stage == Stage.INGEST or name == SUBMISSION


def summary(store: ArtifactStore, made: Sequence[Step]) -> str:
    """Returns the holdout scores and the paths of results.csv, if a model predicts, and of the report."""
    scores = read_scores(store.open("evaluation").path(SCORES))
    seconds = sum(Facts.read(store.open(step.artifact, step.key).manifest).seconds for step in made)
    return "\n".join(
        [
            f"{counted(len(made), 'artifact')} made, {seconds:.0f} s of work" if made else "everything is up to date",
            "",
            format_table(scores),
            "",
            *_results(store),
            f"report:  {store.open('evaluation').path('report.html')}",
        ]
    )


def outcome(store: ArtifactStore) -> dict[str, Any]:
    """Returns the same as JSON types: scores by model, and the paths of results.csv (None without a model) and of the
    report."""
    evaluation, missing = store.open("evaluation"), lacks_model(store)
    return {
        "scores": {name: one.to_json() for name, one in read_scores(evaluation.path(SCORES)).items()},
        "results": None if missing else str(store.open(SUBMISSION).path("results.csv")),
        "report": str(evaluation.path("report.html")),
        "model": None if missing else store.open("trained_model").manifest.version,
        "candidate": store.open("candidate_model").manifest.version,
    }


def _that_can_be_made(store: ArtifactStore, steps: Sequence[Step]) -> list[Step]:
    """Returns the steps; if no model predicts, without the submission. Why not, the warning of trained_model says."""
    if any(step.artifact == SUBMISSION for step in steps) and lacks_model(store) is not None:
        LOGGER.warning("%s: not made, as no model predicts yet", SUBMISSION)
        return [step for step in steps if step.artifact != SUBMISSION]
    return list(steps)


def _results(store: ArtifactStore) -> list[str]:
    """Returns the path of results.csv, and its model if that is not the candidate; nothing if no model predicts."""
    if lacks_model(store) is not None:
        return []
    results = f"results: {store.open(SUBMISSION).path('results.csv')}"
    candidate, trained = store.open("candidate_model").manifest, store.open("trained_model").manifest
    if candidate.version == trained.version:
        return [results]
    decision, promoted_at = DecisionFacts.read(trained).decision, held_model(trained).promoted_at
    return [
        f"The new model does not predict. {decision}.",
        f"results.csv is that of the model promoted on {shown_time(promoted_at)}: `predicting` above.",
        "",
        results,
    ]


def batches(instance: dg.DagsterInstance, steps: Sequence[Step], settings: Settings) -> list[list[Step]]:
    """Groups steps into Dagster runs: all unpartitioned ones together, or at most parts_a_run neighbouring parts."""
    if not steps or steps[0].key is None:
        return [list(steps)] if steps else []
    parts = parts_a_run(settings, steps[0].artifact)
    order = {key: index for index, key in enumerate(instance.get_dynamic_partitions(str(PARTS.name)))}
    ordered = sorted(steps, key=lambda step: order[str(step.key)])
    ranges = groupby(enumerate(ordered), key=lambda pair: order[str(pair[1].key)] - pair[0])
    runs = [[step for _, step in neighbours] for _, neighbours in ranges]
    return [run[start : start + parts] for run in runs for start in range(0, len(run), parts)]


def materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    runs: Iterable[Sequence[Step]],
    tags: Mapping[str, str] = {},
    warnings: FailedWarnings | None = None,
    made: list[Step] | None = None,
) -> list[str]:
    """Makes the steps of each run, also after one that fails; returns the reasons, a line for each asset or check.

    `warnings` records the results of the checks, and `made` each step that was made.
    """
    set_up_pools(instance)
    done = [] if made is None else made
    return in_lines([_materialize(definitions, instance, steps, tags, warnings, done) for steps in runs])


def _materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    steps: Sequence[Step],
    tags: Mapping[str, str],
    warnings: FailedWarnings | None,
    made: list[Step],
) -> Problems:
    """Makes the steps in one run, and adds those that were made to `made`; returns the run's problems."""
    for stage, others in runs_in_pools(instance, {ARTIFACTS[step.artifact].stage for step in steps}).items():
        LOGGER.info("%s: waits while run %s is at work in this stage", stage, ", ".join(sorted(others)))
    run_id = str(uuid.uuid4())
    # If this process dies, the next plan makes the rest; the daemon must not start the run again.
    tags = {PROCESS_TAG: executed_here(run_id), "dagster/max_retries": "0", **tags}
    if steps[0].key is not None:
        tags |= {RANGE_START: str(steps[0].key), RANGE_END: str(steps[-1].key)}
    job = definitions.resolve_implicit_global_asset_job_def()
    with on_the_timeline(instance), held_open():
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in dict.fromkeys(step.artifact for step in steps)],
            run_config=_QUIET,
            run_id=run_id,
            tags=tags,
            raise_on_error=False,
        )
    made += _made(steps, result)
    stopping.stop_if_told()  # Dagster has turned the signal into a failed run
    if warnings is not None:
        warnings.note_all(result.get_asset_check_evaluations())
    return {} if result.success else problems_of(result)


def _made(steps: Sequence[Step], result: dg.ExecuteInProcessResult) -> list[Step]:
    """Returns the steps that published a version: not those that failed, or left the current version."""
    events = [event for event in result.all_node_events if event.is_step_materialization]
    found = [event.step_materialization_data.materialization for event in events]
    new = [one for one in found if not one.metadata.keys() & {UNCHANGED, SKIPPED}]
    published = {(one.asset_key.to_user_string(), one.partition) for one in new}
    return [step for step in steps if (step.artifact, step.key) in published]
