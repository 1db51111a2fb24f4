"""Jobs: what people materialize together, from the UI or by command."""

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS, Stage


def _unpartitioned(*stages: Stage) -> tuple[str, ...]:
    return tuple(
        artifact.name for artifact in ARTIFACTS.values() if artifact.stage in stages and not artifact.partitioned
    )


JOBS = [
    dg.define_asset_job(
        "ingest_parts",
        selection=dg.AssetSelection.assets("tweet_parts"),
        description="Ingest chosen training parts.",
    ),
    dg.define_asset_job(
        "recount",
        selection=dg.AssetSelection.assets(*_unpartitioned(Stage.INGEST, Stage.INTERACTIONS)),
        description="Count all ingested parts and the validation part anew; features of validation and test rows.",
    ),
    dg.define_asset_job(
        "refresh_features",
        selection=dg.AssetSelection.assets("interaction_features"),
        description="Join the counters back to chosen training parts.",
    ),
    dg.define_asset_job(
        "train",
        selection=dg.AssetSelection.assets(*_unpartitioned(Stage.LANGUAGE, Stage.MODEL)),
        description="Fine-tune the encoder, train network and trees, blend and evaluate them.",
    ),
    dg.define_asset_job(
        "submit",
        selection=dg.AssetSelection.assets(*_unpartitioned(Stage.SUBMISSION)),
        description="Predict the test rows with the trained model.",
    ),
]
"""One job a step of the day's work; a job holds partitioned assets only, or unpartitioned ones only."""
