"""The sensor that finds new and replaced training parts and requests their ingest.

What belongs here: reading from Dagster and requesting runs. What does not: the decision (ingest.watch.decision).
"""

import time
from collections.abc import Sequence

import dagster as dg

from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import relative_folder
from engage_pipeline.files.raw_parts import list_parts
from engage_pipeline.ingest.watch.cursor import Cursor, read_cursor
from engage_pipeline.ingest.watch.decision import decide, parts_to_read
from engage_pipeline.ingest.watch.observation import ContentReader, look_at_all, stored_parts
from engage_pipeline.ingest.watch.report import report
from engage_pipeline.ingest.watch.situation import PartRun, Situation, WatchDecision
from engage_pipeline.orchestration.partitions import PARTITION, PARTS, RANGE_END, RANGE_START
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.settings.operating import AutomationSettings
from engage_pipeline.store.plan import training_listing
from engage_pipeline.store.store import ArtifactStore

SENSOR = "new_parts"
JOB = "ingest_parts"
READING_SECONDS = 20.0
"""Seconds for reading file contents per tick; Dagster ends a tick after 60 s."""
LOST_SECONDS = 600.0
"""A request without a run after this many seconds is repeated."""
_ASSET = dg.AssetKey("tweet_parts")
_RUN_KEY = "dagster/run_key"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def parts_sensor(settings: AutomationSettings) -> dg.SensorDefinition:
    """Makes the sensor with the interval of `settings`; it reads all other settings anew at each tick."""
    reader = ContentReader(READING_SECONDS)

    @dg.sensor(
        name=SENSOR,
        job_name=JOB,
        minimum_interval_seconds=settings.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Registers new parts of `recsys_data` as partitions and requests the ingest of new and replaced "
        "parts once their file has stopped changing. A vanished part is reported; nothing of it is deleted.",
    )
    def new_parts(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SensorResult | dg.SkipReason:
        try:
            return _tick(context, pipeline.store(), reader)
        except (UserError, OSError) as error:
            return dg.SkipReason(str(error))

    return new_parts


def _tick(context: dg.SensorEvaluationContext, store: ArtifactStore, reader: ContentReader) -> dg.SensorResult:
    settings = store.settings
    cursor = read_cursor(context.cursor)
    listing = training_listing(settings)
    found, problems = look_at_all(listing.parts)
    registered = context.instance.get_dynamic_partitions(str(PARTS.name))
    now = time.time()
    situation = Situation(
        folder=relative_folder(settings.recsys_data, store.root),
        now=now,
        stable_seconds=settings.automation.stable_seconds,
        parts_a_run=settings.max_n_parts_in_memory,
        present=frozenset(
            [
                *listing.parts,
                *listing.problems,
                *list_parts(settings.recsys_data, follow_links=settings.follow_links).parts,
            ]
        ),
        # Read before the store: a run that ends in between has then published its part.
        busy=_busy(context.instance, registered),
        stored=stored_parts(store),
        registered=registered,
        lost=_lost(context.instance, cursor, now),
    )
    unread = parts_to_read(found, cursor, situation)
    if unread:
        contents, unreadable = reader.read(listing.parts, unread)
        found, problems = found | contents, problems | unreadable
    decision = decide(found, cursor, situation)
    text = report(decision, problems | listing.problems, settings.recsys_data)
    return _result(context, decision, text)


def _result(context: dg.SensorEvaluationContext, decision: WatchDecision, text: str) -> dg.SensorResult:
    if decision.newly_vanished:
        names = ", ".join(decision.newly_vanished)
        context.log.warning(f"parts vanished: {names}; their artifacts are kept but left out of the training set")
    if decision.runs:
        context.log.info(text)
    return dg.SensorResult(
        dynamic_partitions_requests=[PARTS.build_add_request(list(decision.register))] if decision.register else [],
        run_requests=[_run_request(run) for run in decision.runs],
        skip_reason=None if decision.runs else dg.SkipReason(text),
        cursor=decision.cursor.to_json(),
    )


def _run_request(run: PartRun) -> dg.RunRequest:
    if len(run.parts) == 1:
        return dg.RunRequest(run_key=run.run_key, partition_key=run.parts[0])
    return dg.RunRequest(run_key=run.run_key, tags={RANGE_START: run.parts[0], RANGE_END: run.parts[-1]})


def _busy(instance: dg.DagsterInstance, registered: Sequence[str]) -> frozenset[str]:
    """Returns the parts of unfinished runs, whoever started them."""
    busy: set[str] = set()
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED)):
        selected = run.asset_selection
        if (_ASSET not in selected) if selected else (run.job_name != JOB):
            continue
        if PARTITION in run.tags:
            busy.add(run.tags[PARTITION])
        elif RANGE_START in run.tags and RANGE_END in run.tags:
            busy |= _range(run.tags[RANGE_START], run.tags[RANGE_END], registered)
    return frozenset(busy)


def _range(start: str, end: str, registered: Sequence[str]) -> set[str]:
    place = {name: index for index, name in enumerate(registered)}
    if start not in place or end not in place:
        return {start, end}
    return set(registered[place[start] : place[end] + 1])


def _lost(instance: dg.DagsterInstance, cursor: Cursor, now: float) -> frozenset[str]:
    """Returns run keys requested more than LOST_SECONDS ago without a run in Dagster: the daemon was killed in the
    middle of a tick, or the run was deleted. A request from a time to come is of a clock that was ahead: it is as old.
    """
    asked = [seen.asked for seen in cursor.parts.values() if seen.asked]
    keys = {request.run_key for request in asked if not 0 <= now - request.at <= LOST_SECONDS}
    return frozenset(key for key in keys if not instance.get_runs(dg.RunsFilter(tags={_RUN_KEY: key}), limit=1))
