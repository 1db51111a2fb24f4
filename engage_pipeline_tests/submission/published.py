"""A working directory with everything that predicting reads, made of the golden parts."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.validation_split import validation_split
from engage_pipeline.interactions.counters.counting import count_training, count_validation
from engage_pipeline.interactions.facts import CountFacts
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.interactions.graphs.edges import write_edges
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS
from engage_pipeline.model.bundle import build_bundle
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store import promoted_counters
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.model.bundles import make_inputs
from engage_pipeline_tests.samples import GOLDEN


def publish_golden_model(folder: Path, settings: Settings) -> None:
    """Publishes interaction_counts, author_similarity, validation_counts and trained_model; `folder` is scratch."""
    store = ArtifactStore(settings)
    train = [ingest(source, folder, settings) for source in sorted((GOLDEN / "train").iterdir())]
    with store.publish("interaction_counts") as draft:
        count_training(train, draft.directory, settings)
    with store.publish("author_similarity") as draft:
        shutil.copyfile(GOLDEN / SIMILAR_AUTHORS, draft.path(SIMILAR_AUTHORS))
        write_edges(pq.read_table(GOLDEN / SIMILAR_AUTHORS), draft.directory)
    split = partial(validation_split, seed=1, holdout_share=0.1, chunks=10)
    validation = ingest(GOLDEN / "validation" / "part-00000.gz", folder, settings, split)
    with store.publish("validation_counts") as draft:
        draft.record(CountFacts(**count_validation([validation], draft.directory, settings)))
    features = folder / "validation_features.parquet"
    write_features(validation, features, kind="validation", settings=settings, **counts(store))
    inputs = make_inputs(FeatureFile(features).read(), folder / "inputs", settings)
    with store.publish("trained_model") as draft:
        build_bundle(draft.directory, **inputs, settings=settings)
        draft.record(promoted_counters.published_now(store))


def counts(store: ArtifactStore) -> dict[str, Path]:
    """Where write_features finds the counters of the store."""
    return {
        "training_counts": store.open("interaction_counts").directory(),
        "similarity": store.open("author_similarity").directory(),
        "validation_counts": store.open("validation_counts").directory(),
    }


def ingest(source: Path, folder: Path, settings: Settings, split: Callable[[int], np.ndarray] | None = None) -> Path:
    """The typed tweets of the labelled part `source`."""
    tweets = folder / f"{source.parent.name}.{source.stem}.parquet"
    rejects = folder / "rejects.parquet"
    ingest_part(source, tweets=tweets, rejects=rejects, settings=settings, labelled=True, order="day", split=split)
    return tweets
