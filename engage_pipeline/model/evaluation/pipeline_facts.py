"""Gathers what the report tells of the artifacts that the model was made of.

All of them are inputs of `evaluation` in the catalogue, so that the report is made again when one of them changes. The
page says when each was made and what it cost; so artifacts of the same content, made again, give another page.
"""

from collections.abc import Iterator, Sequence

import pyarrow.parquet as pq

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.ingest.facts import PartFacts
from engage_pipeline.interactions.counters.counting import DAYS
from engage_pipeline.interactions.drift.stability import part_drift, window_drift
from engage_pipeline.interactions.facts import CountFacts, SimilarityFacts
from engage_pipeline.language.facts import EncoderFacts, SketchFacts, TokenFacts
from engage_pipeline.model.evaluation.cost_section import Made, summed
from engage_pipeline.model.evaluation.pipeline_section import PipelineFacts
from engage_pipeline.model.facts import BundleFacts, NetworkFacts, TreesFacts
from engage_pipeline.store.file_names import PROFILE
from engage_pipeline.store.store import ArtifactStore

EVALUATION = "evaluation"


def report_inputs(store: ArtifactStore) -> PipelineFacts:
    """Returns facts and cost of the inputs of `evaluation`, label rates by day, and drift of parts and validation rows.

    Raises UserError naming what is not there, damaged, or made with other settings.
    """
    parts = store.parts_of(EVALUATION)
    days = pq.read_table(store.open("interaction_counts").path(DAYS))
    profiles = {part: store.open("interaction_features", part).path(PROFILE) for part in parts}
    window = store.open("validation_features").path(PROFILE)
    single = [name for name in ARTIFACTS[EVALUATION].inputs if not ARTIFACTS[name].partitioned]
    manifests = {name: store.open(name).manifest for name in single}
    return PipelineFacts(
        parts={part: PartFacts.read(store.open("tweet_parts", part).manifest) for part in parts},
        days={name: days[name].to_pylist() for name in days.column_names},
        drift=part_drift(profiles),
        window_drift={name: index for name, (index, _) in window_drift([window], list(profiles.values())).items()},
        made=list(_made(store, parts)),
        validation_tweets=PartFacts.read(manifests["validation_tweets"]),
        interaction_counts=CountFacts.read(manifests["interaction_counts"]),
        validation_counts=CountFacts.read(manifests["validation_counts"]),
        author_similarity=SimilarityFacts.read(manifests["author_similarity"]),
        finetuned_encoder=EncoderFacts.read(manifests["finetuned_encoder"]),
        token_sketches=TokenFacts.read(manifests["token_sketches"]),
        emde_sketches=SketchFacts.read(manifests["emde_sketches"]),
        pretrained_network=NetworkFacts.read(manifests["pretrained_network"]),
        finetuned_network=NetworkFacts.read(manifests["finetuned_network"]),
        engagement_trees=TreesFacts.read(manifests["engagement_trees"]),
        candidate_model=BundleFacts.read(manifests["candidate_model"]),
    )


def _made(store: ArtifactStore, parts: Sequence[str]) -> Iterator[Made]:
    """Yields what the manifests of the inputs say, in the order of the catalogue."""
    for name, artifact in ARTIFACTS.items():
        if name in ARTIFACTS[EVALUATION].inputs:
            yield summed(name, [store.open(name, key).manifest for key in (parts if artifact.partitioned else [None])])
