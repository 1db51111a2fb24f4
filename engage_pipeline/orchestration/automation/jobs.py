"""Jobs over assets of one kind: chosen training parts, or assets without parts.

What does not belong here: jobs that mix both (refreshing).
"""

from typing import Any

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.orchestration.assets.materializing import ONLY_STALE
from engage_pipeline.orchestration.automation.forget import forget_job
from engage_pipeline.orchestration.automation.refreshing import REFRESHING_JOBS


def _of(*stages: Stage) -> list[str]:
    return [artifact.name for artifact in ARTIFACTS.values() if artifact.stage in stages]


JOBS: list[Any] = [
    dg.define_asset_job(
        "ingest_parts",
        selection=dg.AssetSelection.assets("tweet_parts"),
        description="Ingests the chosen training parts, also those that are ingested already.",
    ),
    dg.define_asset_job(
        "train",
        selection=dg.AssetSelection.assets(*_of(Stage.LANGUAGE, Stage.MODEL)),
        description="Makes the stale ones of encoder, sketches, network, trees, their evaluation and the promoted "
        "model.",
        tags={ONLY_STALE: "true"},
    ),
    dg.define_asset_job(
        "submit",
        selection=dg.AssetSelection.assets("test_tweets", "test_features", *_of(Stage.SUBMISSION)),
        description="Makes the stale ones of test rows, their features and results.csv.",
        tags={ONLY_STALE: "true"},
    ),
    *REFRESHING_JOBS,
    forget_job,
]
