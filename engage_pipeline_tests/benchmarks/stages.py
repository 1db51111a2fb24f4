"""What is measured: each stage calls the library as its asset does, and publishes what it made for the next ones.

A stage opens its inputs, yields the work whose time and memory count, and publishes. The work returns its rows.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline.ingest.reading import ingest_part
from engage_pipeline.ingest.split import validation_split
from engage_pipeline.interactions.counting import count_training, count_validation
from engage_pipeline.interactions.features import Kind, write_features
from engage_pipeline.interactions.similarity import SIMILAR_AUTHORS, similar_authors
from engage_pipeline_tests.benchmarks.world import PART, World

Work = Callable[[], int]
Stage = Callable[[World], AbstractContextManager[Work]]
WIDE_NETWORK_ROWS = 16_384
"""At most so many rows train the network of the full size, for one epoch: it is slow, and its speed is steady."""


def _ingest(name: str, key: str | None, world: World) -> AbstractContextManager[Work]:
    @contextmanager
    def stage() -> Iterator[Work]:
        settings, source = world.store.settings, world.source(name)
        split = partial(
            validation_split,
            seed=settings.seed,
            holdout_share=settings.validation_percentage,
            chunks=settings.num_validation_chunks,
        )
        with world.store.publish(name, key, [source]) as draft:
            yield (
                lambda: (
                    ingest_part(
                        source,
                        tweets=draft.path("tweets.parquet"),
                        rejects=draft.path("rejects.parquet"),
                        settings=settings,
                        labelled=True,
                        order="tweet",
                        split=split if key is None else None,
                    ).rows
                )
            )

    return stage()


@contextmanager
def interaction_counts(world: World) -> Iterator[Work]:
    """Counters of the training rows."""
    with world.store.publish("interaction_counts") as draft:
        tweets = world.store.part_paths("interaction_counts", "tweets.parquet")
        yield lambda: count_training(tweets, draft.directory, world.store.settings)["rows"]


@contextmanager
def validation_counts(world: World) -> Iterator[Work]:
    """Counters of the validation rows."""
    with world.store.publish("validation_counts") as draft:
        tweets = [world.store.open("validation_tweets").path("tweets.parquet")]
        yield lambda: count_validation(tweets, draft.directory, world.store.settings)["rows"]


@contextmanager
def author_similarity(world: World) -> Iterator[Work]:
    """Similar authors; its rows are the training rows whose followers it reads."""
    settings = world.store.settings
    with world.store.publish("author_similarity") as draft:
        tweets = world.store.part_paths("author_similarity", "tweets.parquet")

        def work() -> int:
            similar_authors(
                tweets,
                draft.path(SIMILAR_AUTHORS),
                top_n=settings.authors_similarity_top_N,
                threshold=settings.authors_similarity_threshold,
                settings=settings,
            )
            return sum(pq.read_metadata(path).num_rows for path in tweets)

        yield work


def _features(name: str, key: str | None, tweets_of: str, kind: Kind, world: World) -> AbstractContextManager[Work]:
    @contextmanager
    def stage() -> Iterator[Work]:
        store = world.store
        with store.publish(name, key) as draft:
            tweets = store.open(tweets_of, key).path("tweets.parquet")
            work = partial(
                write_features,
                tweets,
                draft.path("features.parquet"),
                kind=kind,
                settings=store.settings,
                training_counts=store.open("interaction_counts").directory(),
                similarity=store.open("author_similarity").path(SIMILAR_AUTHORS),
                validation_counts=store.open("validation_counts").directory(),
            )
            yield work

    return stage()


@contextmanager
def finetuned_encoder(world: World) -> Iterator[Work]:
    """The tiny encoder as it is made, not fine-tuned."""
    from engage_pipeline.language.finetuning import finetune_encoder

    with world.store.publish("finetuned_encoder") as draft, world.store.workspace("finetuned_encoder") as workspace:
        tweets = world.store.part_paths("finetuned_encoder", "tweets.parquet")

        def work() -> int:
            finetune_encoder(tweets, draft.directory, workspace, world.store.settings)
            return 0

        yield work


@contextmanager
def token_sketches(world: World) -> Iterator[Work]:
    """Vectors of the tokens; its rows are the distinct tweets that the encoder reads."""
    from engage_pipeline.language.token_vectors import sketch_tokens

    with world.store.publish("token_sketches") as draft:
        tweets = world.store.part_paths("token_sketches", "tweets.parquet")
        encoder = world.store.open("finetuned_encoder").directory()
        yield lambda: sketch_tokens(encoder, tweets, draft.directory, world.store.settings)["tweets"]


@contextmanager
def emde_sketches(world: World) -> Iterator[Work]:
    """Codes of the tokens; its rows are the tokens."""
    from engage_pipeline.language.emde import code_tokens

    with world.store.publish("emde_sketches") as draft:
        vectors = world.store.open("token_sketches").path("token_vectors.parquet")
        yield lambda: code_tokens(vectors, draft.directory, world.store.settings)["tokens"]


def _codes(world: World) -> np.ndarray:
    from engage_pipeline.language.codes import load_codes

    return load_codes(world.store.open("emde_sketches").path("codes.parquet"))


def _languages(world: World) -> list[str]:
    return pq.read_table(world.store.open("interaction_counts").path("languages.parquet"))["language"].to_pylist()


@contextmanager
def network_demo(world: World) -> Iterator[Work]:
    """The demo's network (hidden 256, sketch 8 x 64) on the training rows; every pass counts its rows."""
    from engage_pipeline.model.pretraining import pretrain_network

    store = world.store
    with store.publish("pretrained_network") as draft, store.workspace("pretrained_network") as workspace:
        features = store.part_paths("pretrained_network", "features.parquet", "interaction_features")
        codes, languages = _codes(world), _languages(world)

        def work() -> int:
            return pretrain_network(features, codes, languages, draft.directory, workspace, store.settings)["rows"]

        yield work


@contextmanager
def network_1500(world: World) -> Iterator[Work]:
    """The full network (hidden 1500, sketch 20 x 256, batch 512), one pass over at most WIDE_NETWORK_ROWS rows."""
    from engage_pipeline.language.codes import load_codes
    from engage_pipeline.language.emde import code_tokens
    from engage_pipeline.model.pretraining import pretrain_network

    settings = world.settings("default", network={"epochs": 1})
    folder = world.folder / "network_1500"
    for name in ("codes", "output", "workspace"):
        (folder / name).mkdir(parents=True)
    code_tokens(world.store.open("token_sketches").path("token_vectors.parquet"), folder / "codes", settings)
    features = _head(
        world.store.part_paths("pretrained_network", "features.parquet", "interaction_features")[0], folder
    )
    codes, languages = load_codes(folder / "codes" / "codes.parquet"), _languages(world)

    def work() -> int:
        facts = pretrain_network([features], codes, languages, folder / "output", folder / "workspace", settings)
        return facts["rows"]

    yield work


def _head(features: Path, folder: Path) -> Path:
    with pq.ParquetFile(features) as file:
        batch = next(file.iter_batches(WIDE_NETWORK_ROWS))
    with pq.ParquetWriter(folder / "features.parquet", batch.schema) as writer:
        writer.write_batch(batch)
    return folder / "features.parquet"


@contextmanager
def finetuned_network(world: World) -> Iterator[Work]:
    """The demo's network trained further on the validation rows."""
    from engage_pipeline.model.finetuning import finetune_network

    store = world.store
    with store.publish("finetuned_network") as draft, store.workspace("finetuned_network") as workspace:
        pretrained = store.open("pretrained_network").directory()
        features = store.open("validation_features").path("features.parquet")
        codes = _codes(world)
        yield lambda: finetune_network(pretrained, features, codes, draft.directory, workspace, store.settings)["rows"]


@contextmanager
def trees(world: World) -> Iterator[Work]:
    """The trees of the four engagements, folds and all; its rows are the fine-tuning rows."""
    from engage_pipeline.model.effects.columns import read_columns
    from engage_pipeline.model.network_scoring import NetworkScorer
    from engage_pipeline.model.trees import train_trees

    store = world.store
    with store.publish("engagement_trees") as draft:
        scorer = NetworkScorer.load(
            store.open("pretrained_network").directory(), _codes(world), threads=store.settings.engine.threads
        )
        features = store.open("validation_features").path("features.parquet")
        effects = read_columns(store.open("engagement_effects").directory())
        yield lambda: train_trees(features, scorer, effects, draft.directory, store.settings)["rows"]


@contextmanager
def trained_model(world: World) -> Iterator[Work]:
    """The bundle of network, trees and codes."""
    from engage_pipeline.model.bundle import build_bundle

    store = world.store
    with store.publish("trained_model") as draft:
        features = store.open("validation_features").path("features.parquet")

        def work() -> int:
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
            return pq.read_metadata(features).num_rows

        yield work


@contextmanager
def predict(world: World) -> Iterator[Work]:
    """Raw test parts to results.csv, opening the model included."""
    from engage_pipeline.submission import predict as submission

    output = world.folder / "results.csv"
    part = world.repeated_test_part
    yield lambda: submission.predict([part], output, world.store.settings, threads=world.threads).rows


STAGES: dict[str, Stage] = {
    "ingest": partial(_ingest, "tweet_parts", PART),
    "validation_tweets": partial(_ingest, "validation_tweets", None),
    "interaction_counts": interaction_counts,
    "author_similarity": author_similarity,
    "validation_counts": validation_counts,
    "interaction_features": partial(_features, "interaction_features", PART, "tweet_parts", "training"),
    "validation_features": partial(_features, "validation_features", None, "validation_tweets", "validation"),
    "finetuned_encoder": finetuned_encoder,
    "token_sketches": token_sketches,
    "emde_sketches": emde_sketches,
    "network_demo": network_demo,
    "network_1500": network_1500,
    "finetuned_network": finetuned_network,
    "trees": trees,
    "trained_model": trained_model,
    "predict": predict,
}
"""Every stage in an order in which each finds what it reads."""
NEEDS: dict[str, tuple[str, ...]] = {
    "interaction_counts": ("ingest",),
    "author_similarity": ("ingest",),
    "validation_counts": ("validation_tweets",),
    "interaction_features": ("interaction_counts", "author_similarity", "validation_counts"),
    "validation_features": ("interaction_counts", "author_similarity", "validation_counts"),
    "finetuned_encoder": ("ingest",),
    "token_sketches": ("finetuned_encoder",),
    "emde_sketches": ("token_sketches",),
    "network_demo": ("interaction_features", "emde_sketches"),
    "network_1500": ("interaction_features", "token_sketches"),
    "finetuned_network": ("network_demo", "validation_features"),
    "trees": ("network_demo", "validation_features"),
    "trained_model": ("finetuned_network", "trees"),
    "predict": ("trained_model",),
}
REPORTED = (
    "ingest",
    "interaction_counts",
    "author_similarity",
    "interaction_features",
    "token_sketches",
    "emde_sketches",
    "network_demo",
    "network_1500",
    "trees",
    "predict",
)


def with_needs(names: tuple[str, ...]) -> list[str]:
    """`names` and every stage that must run before them, in order."""
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        wanted.add(name)
        waiting += NEEDS.get(name, ())
    return [name for name in STAGES if name in wanted]
