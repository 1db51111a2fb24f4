"""Jobs: what people materialize together, from the UI or by command.

A run in which parts were chosen makes those parts. A run without chosen parts, such as a schedule's, decides by itself
which parts are stale; with the tag ONLY_STALE it also passes over everything else that is current.
"""

from dataclasses import dataclass

import dagster as dg

from engage_pipeline.assets.making import ONLY_STALE
from engage_pipeline.catalogue import ARTIFACTS, Stage


@dataclass(frozen=True)
class _Job:
    name: str
    description: str
    artifacts: tuple[str, ...]
    only_stale: bool = False


def _of(*stages: Stage) -> tuple[str, ...]:
    return tuple(artifact.name for artifact in ARTIFACTS.values() if artifact.stage in stages)


_JOBS = (
    _Job("ingest_parts", "Ingest training parts.", ("tweet_parts",)),
    _Job(
        "refresh_features",
        "Count all ingested parts and the validation part anew, and join the counters back to every row.",
        ("validation_tweets", "test_tweets", *_of(Stage.INTERACTIONS)),
    ),
    _Job(
        "train",
        "Fine-tune the encoder, train network and trees, blend, evaluate and promote them.",
        _of(Stage.LANGUAGE, Stage.MODEL),
    ),
    _Job(
        "submit",
        "Read the test parts and predict them with the trained model.",
        ("test_tweets", "test_features", *_of(Stage.SUBMISSION)),
    ),
    _Job("everything", "All that is stale, from raw parts to results.csv.", tuple(ARTIFACTS), only_stale=True),
    _Job(
        "retrain",
        "All that is stale but the parts' ingest: what the nightly schedule runs when parts have changed.",
        tuple(name for name in ARTIFACTS if name != "tweet_parts"),
        only_stale=True,
    ),
)
JOBS = [
    dg.define_asset_job(
        job.name,
        selection=dg.AssetSelection.assets(*job.artifacts),
        description=job.description,
        tags={ONLY_STALE: "true"} if job.only_stale else None,
    )
    for job in _JOBS
]
