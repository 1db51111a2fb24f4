"""The one Definitions object: what Dagster loads. Loading it imports neither torch nor transformers nor lightgbm."""

import dagster as dg

from engage_pipeline.orchestration.alerts.sensor import alert_sensors
from engage_pipeline.orchestration.automation.jobs import JOBS
from engage_pipeline.orchestration.automation.nightly import nightly_schedule
from engage_pipeline.orchestration.automation.parts_sensor import parts_sensor
from engage_pipeline.orchestration.dead_runs import dead_runs
from engage_pipeline.orchestration.graph import build_graph, known_settings
from engage_pipeline.orchestration.resources import Pipeline


def build_definitions(pipeline: Pipeline) -> dg.Definitions:
    """Everything that Dagster knows, on the settings of `pipeline`: the graph, and what runs by itself."""
    settings = known_settings(pipeline)
    automation = settings.automation
    runs_by_itself = dg.Definitions(
        jobs=JOBS,
        sensors=[dead_runs, parts_sensor(automation), *alert_sensors()],
        schedules=[nightly_schedule(automation)],
    )
    return dg.Definitions.merge(build_graph(pipeline, settings), runs_by_itself)


defs = build_definitions(Pipeline())
