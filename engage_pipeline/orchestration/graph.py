"""The graph for the settings of one pipeline: assets, checks, resources and executor.

What does not belong here: schedules and sensors (definitions).
"""

import logging

import dagster as dg

from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.assets import ingest, interactions, language, model, submission
from engage_pipeline.orchestration.assets.definition import backfilled, under
from engage_pipeline.orchestration.assets.freshness import kept_fresh
from engage_pipeline.orchestration.checks import CHECKS
from engage_pipeline.orchestration.executors import chosen_executor
from engage_pipeline.orchestration.resources import AnyPipeline
from engage_pipeline.settings.settings import Settings

LOGGER = logging.getLogger("engage_pipeline")


def build_graph(pipeline: AnyPipeline, settings: Settings | None = None) -> dg.Definitions:
    """Returns every asset with its checks: what a run needs. `settings` None = those of `pipeline`."""
    settings = settings or known_settings(pipeline)
    assets = [
        kept_fresh(backfilled(under(asset, settings), settings), settings.automation)
        for asset in dg.load_assets_from_modules([ingest, interactions, language, model, submission])
        if isinstance(asset, dg.AssetsDefinition)
    ]
    return dg.Definitions(
        assets=assets, asset_checks=CHECKS, resources={"pipeline": pipeline}, executor=chosen_executor()
    )


def known_settings(pipeline: AnyPipeline) -> Settings:
    """Returns the settings for definitions. A broken file gives the defaults: it fails the steps, not the loading."""
    try:
        return pipeline.settings()
    except UserError as error:
        LOGGER.warning("%s; schedules and backfills keep their defaults", error)
        return Settings()
