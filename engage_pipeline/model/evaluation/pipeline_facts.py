"""Gathers what the report tells of the artifacts that the model was made of.

All of them are inputs of `evaluation` in the catalogue, so that the report is made again when one of them changes.
Facts that change without the content, such as seconds and memory, are not shown: the same content gives the same page.
"""

import pyarrow.parquet as pq

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.interactions.counters.counting import DAYS
from engage_pipeline.interactions.drift.stability import part_drift
from engage_pipeline.model.evaluation.pipeline_section import PipelineFacts
from engage_pipeline.store.store import ArtifactStore

EVALUATION = "evaluation"
PROFILE = "features.profile.parquet"


def report_inputs(store: ArtifactStore) -> PipelineFacts:
    """The facts of the inputs of `evaluation`, label rates by day, and the drift of its parts.

    Raises UserError naming what is not there, damaged, or made with other settings.
    """
    parts = store.parts_of(EVALUATION)
    days = pq.read_table(store.open("interaction_counts").path(f"{DAYS}.parquet"))
    profiles = {part: store.open("interaction_features", part).path(PROFILE) for part in parts}
    single = [name for name in ARTIFACTS[EVALUATION].inputs if not ARTIFACTS[name].partitioned]
    return PipelineFacts(
        artifacts={name: store.open(name).manifest.facts for name in single},
        parts={part: store.open("tweet_parts", part).manifest.facts for part in parts},
        days={name: days[name].to_pylist() for name in days.column_names},
        drift=part_drift(profiles),
    )
