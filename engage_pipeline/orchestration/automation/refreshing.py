"""Jobs that make everything stale, including all stale parts, as `engage run` does, but in a Dagster run.

Dagster can't put parts and assets over all parts into one run unless the parts are one unbroken range. These jobs plan
from the manifests instead and start one run per segment; these runs have the tag `engage/started_by`.
"""

from collections.abc import Collection

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.orchestration.assets.materializing import user_errors
from engage_pipeline.orchestration.dead_runs import mark_run
from engage_pipeline.orchestration.launching import runs_in_words
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.store.manifests import label

READ = ("validation_tweets", "test_tweets")
FEATURES = (*READ, *(name for name, artifact in ARTIFACTS.items() if artifact.stage is Stage.INTERACTIONS))


def _job(name: str, description: str, wanted: Collection[str]) -> dg.JobDefinition:
    @dg.op(name=f"make_{name}", description=description)
    def make(context: dg.OpExecutionContext, pipeline: Pipeline) -> None:
        from engage_pipeline.orchestration.running import run_pipeline

        mark_run(context.instance, context.run)
        with user_errors():
            made = run_pipeline(pipeline, context.instance, wanted, started_by=context.run_id)
        names = ", ".join(label(step.artifact, step.key) for step in made)
        runs = dg.MetadataValue.md(runs_in_words(context.instance, context.run_id))
        context.add_output_metadata({"made": len(made), "artifacts": names or "everything is current", "runs": runs})

    @dg.job(name=name, description=description, executor_def=dg.in_process_executor)
    def job() -> None:
        make()

    return job


REFRESHING_JOBS = [
    _job(
        "refresh_features",
        "Makes the stale ones of counters, similar authors and features, over all ingested parts.",
        FEATURES,
    ),
    _job("everything", "Makes everything stale, from raw parts to results.csv, as `engage run`.", ARTIFACTS),
    _job(
        "retrain",
        "Makes everything stale except the ingest of parts; the nightly schedule starts it when parts have changed.",
        [name for name in ARTIFACTS if name != "tweet_parts"],
    ),
]
