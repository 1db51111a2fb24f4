"""The one Definitions object: what Dagster loads. Loading it imports neither torch nor transformers nor lightgbm."""

import dagster as dg

from engage_pipeline.assets import ingest, interactions, language, model, submission
from engage_pipeline.automation.jobs import JOBS
from engage_pipeline.checks import CHECKS
from engage_pipeline.resources import Pipeline


def build_definitions(pipeline: Pipeline) -> dg.Definitions:
    """Everything that Dagster knows, on the settings of `pipeline`."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([ingest, interactions, language, model, submission]),
        asset_checks=CHECKS,
        jobs=JOBS,
        resources={"pipeline": pipeline},
        # A step costs 0.3 s in this process and 3.5 s in one of its own; DuckDB, torch and LightGBM use the cores.
        executor=dg.in_process_executor,
    )


defs = build_definitions(Pipeline())
