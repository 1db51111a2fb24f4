"""The one Definitions object: what Dagster loads. Loading it imports neither torch nor transformers nor lightgbm."""

import logging

import dagster as dg

from engage_pipeline.assets import ingest, interactions, language, model, submission
from engage_pipeline.assets.definition import backfilled
from engage_pipeline.assets.freshness import kept_fresh
from engage_pipeline.automation.dead_runs import dead_runs
from engage_pipeline.automation.jobs import JOBS
from engage_pipeline.automation.nightly import nightly_schedule
from engage_pipeline.automation.parts_sensor import parts_sensor
from engage_pipeline.checks import CHECKS
from engage_pipeline.errors import UserError
from engage_pipeline.executors import chosen_executor
from engage_pipeline.resources import Pipeline
from engage_pipeline.settings.settings import Settings

LOGGER = logging.getLogger("engage_pipeline")


def build_definitions(pipeline: Pipeline) -> dg.Definitions:
    """Everything that Dagster knows, on the settings of `pipeline`."""
    settings = _settings(pipeline)
    assets = [
        kept_fresh(backfilled(asset, settings), settings.automation)
        for asset in dg.load_assets_from_modules([ingest, interactions, language, model, submission])
        if isinstance(asset, dg.AssetsDefinition)
    ]
    return dg.Definitions(
        assets=assets,
        asset_checks=CHECKS,
        jobs=JOBS,
        sensors=[dead_runs, parts_sensor(settings.automation)],
        schedules=[nightly_schedule(settings.automation)],
        resources={"pipeline": pipeline},
        executor=chosen_executor(),
    )


def _settings(pipeline: Pipeline) -> Settings:
    """The settings that definitions are built with. A broken file fails the steps that read it, not the loading."""
    try:
        return pipeline.settings()
    except UserError as error:
        LOGGER.warning("%s; schedules and backfills keep their defaults", error)
        return Settings()


defs = build_definitions(Pipeline())
