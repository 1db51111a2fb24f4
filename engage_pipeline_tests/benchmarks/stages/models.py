"""Stages from the networks to results.csv: effects, trees, bundle, prediction."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow.parquet as pq

from engage_pipeline_tests.benchmarks.stages.language import read_codes
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import World


@contextmanager
def engagement_effects(world: World) -> Iterator[Work]:
    """The mixed model; its rows are the training and fine-tuning rows that it is fitted to."""
    from engage_pipeline.model.effects.scoring import copy_clusters, load_clusters
    from engage_pipeline.model.effects.training import train_effects

    store = world.store
    with store.publish("engagement_effects") as draft:
        training = store.part_paths("engagement_effects", "features.parquet", "interaction_features")
        validation = store.open("validation_features").path("features.parquet")
        topics, communities = (store.open(name).directory() for name in ("tweet_topics", "user_communities"))
        copy_clusters(topics, communities, draft.directory)
        clusters = load_clusters(draft.directory)

        def work() -> Done:
            return Done(train_effects(training, validation, clusters, draft.directory, store.settings)["rows"])

        yield work


@contextmanager
def engagement_trees(world: World) -> Iterator[Work]:
    """The trees of the four engagements, folds and all; its rows are the fine-tuning rows."""
    from engage_pipeline.model.effects.columns import read_columns
    from engage_pipeline.model.network.scoring import NetworkScorer
    from engage_pipeline.model.trees.training import train_trees

    store = world.store
    with store.publish("engagement_trees") as draft:
        scorer = NetworkScorer.load(
            store.open("pretrained_network").directory(), read_codes(world), threads=store.settings.engine.threads
        )
        features = store.open("validation_features").path("features.parquet")
        effects = read_columns(store.open("engagement_effects").directory())
        yield lambda: Done(train_trees(features, scorer, effects, draft.directory, store.settings)["rows"])


@contextmanager
def candidate_model(world: World) -> Iterator[Work]:
    """The bundle of networks, effects, trees and codes."""
    from engage_pipeline.model.bundle import build_bundle

    store = world.store
    with store.publish("candidate_model") as draft:
        features = store.open("validation_features").path("features.parquet")

        def work() -> Done:
            build_bundle(
                draft.directory,
                pretrained=store.open("pretrained_network").directory(),
                finetuned=store.open("finetuned_network").directory(),
                effects=store.open("engagement_effects").directory(),
                trees=store.open("engagement_trees").directory(),
                features=features,
                codes_path=store.open("emde_sketches").path("codes.parquet"),
                settings=store.settings,
            )
            return Done(pq.read_metadata(features).num_rows)

        yield work


@contextmanager
def trained_model(world: World) -> Iterator[Work]:
    """The candidate, promoted."""
    from engage_pipeline.model.promotion.promotion import promote

    with world.store.publish("trained_model") as draft:

        def work() -> Done:
            promote(world.store, draft)
            return Done(0)

        yield work


STAGES: dict[str, Stage] = {
    "engagement_effects": engagement_effects,
    "engagement_trees": engagement_trees,
    "candidate_model": candidate_model,
    "trained_model": trained_model,
}
