"""Stages as a user would do them with another library, on the same rows."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS
from engage_pipeline.numerics.token_bytes import with_token_lists
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.benchmarks.graphs import GRAPHS, draw_edges
from engage_pipeline_tests.benchmarks.stages.language import wide_encoder
from engage_pipeline_tests.benchmarks.stages.networks import wide_folder, wide_inputs
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import PART, World

ONE_BY_ONE = {"token_sketches": 1000, "token_sketches_768": 40}
"""So many tweets are encoded one at a time."""


@contextmanager
def ingest(world: World) -> Iterator[Work]:
    """Polars: typed, sorted by tweet and written as zstd Parquet; nothing is checked or rejected."""
    from engage_pipeline_tests.benchmarks.alternatives import polars_way

    output = world.folder / "polars.parquet"
    yield lambda: Done(polars_way.ingest(world.source("tweet_parts"), output))
    output.unlink()


@contextmanager
def interaction_counts(world: World) -> Iterator[Work]:
    """Polars: the counters of the training rows by day and in total, written."""
    from engage_pipeline_tests.benchmarks.alternatives import polars_way

    tweets, folder = _tweets(world), world.folder / "polars_counts"
    folder.mkdir()

    def work() -> Done:
        counts = polars_way.count(polars_way.pl.scan_parquet(tweets), schema.ENGAGEMENT_DAY, schema.TRAINING_KEYS)
        polars_way.write_counts(counts, folder)
        return Done(pq.read_metadata(tweets).num_rows)

    yield work


@contextmanager
def interaction_features(world: World) -> Iterator[Work]:
    """Polars: the 65 features joined to the columns of the tweets, from counters in memory, written."""
    features, output = polars_features(world), world.folder / "polars_features.parquet"

    def work() -> Done:
        features.sink_parquet(output, compression="zstd")
        return Done(pq.read_metadata(output).num_rows)

    yield work
    output.unlink()


def polars_features(world: World) -> Any:
    """The LazyFrame of the features of the world's training rows, yet to be computed."""
    from engage_pipeline_tests.benchmarks.alternatives import polars_way

    scan = polars_way.pl.scan_parquet
    tweets = scan(_tweets(world))
    shown = scan(world.store.open("validation_tweets").path("tweets.parquet"))
    graph = polars_way.pl.read_parquet(world.store.open("author_similarity").path(SIMILAR_AUTHORS))
    training = polars_way.count(tweets, schema.ENGAGEMENT_DAY, schema.TRAINING_KEYS)
    counted = shown.filter(polars_way.pl.col(schema.SPLIT) != schema.HOLDOUT)
    validation = polars_way.count(counted, schema.SPLIT, schema.VALIDATION_KEYS)
    return polars_way.features(tweets, training, validation, graph)


def _tweets(world: World) -> str:
    return str(world.store.open("tweet_parts", PART).path("tweets.parquet"))


@contextmanager
def similarity_24000(world: World) -> Iterator[Work]:
    """SetSimilaritySearch, from edges by number that are in memory; nothing is read or written."""
    from engage_pipeline_tests.benchmarks.alternatives.set_similarity import similar_authors

    author, viewer = draw_edges(GRAPHS["24000"])
    settings = world.store.settings

    def work() -> Done:
        similar_authors(
            author,
            viewer,
            top_n=settings.authors_similarity_top_N,
            threshold=settings.authors_similarity_threshold,
        )
        return Done(len(author))

    yield work


def _one_tweet(name: str, world: World) -> AbstractContextManager[Work]:
    """One tweet at a time through the encoder, fp32."""
    from engage_pipeline.language.encoders import load_encoder
    from engage_pipeline.language.tweets import OCCURRENCES, distinct_tweets
    from engage_pipeline_tests.benchmarks.alternatives.one_tweet import token_vectors

    @contextmanager
    def stage() -> Iterator[Work]:
        if name == "token_sketches":
            settings: Settings = world.store.settings
            model = load_encoder(world.store.open("finetuned_encoder").directory())
        else:
            settings, folder = wide_encoder(world)
            model = load_encoder(folder)
        parts = world.store.part_paths("token_sketches", "tweets.parquet")
        table = distinct_tweets(parts, max_tweets=ONE_BY_ONE[name], settings=settings)
        tweets = [
            tokens[: settings.encoder.max_tokens] for tokens in with_token_lists(table)["text_tokens"].to_pylist()
        ]
        rows = table[OCCURRENCES].to_pylist()

        def work() -> Done:
            token_vectors(model, tweets, rows)
            return Done(len(tweets))

        yield work

    return stage()


@contextmanager
def score_1500(world: World) -> Iterator[Work]:
    """ONNX Runtime, fp32, on the library's input, batches of 512."""
    import torch

    from engage_pipeline.model.network.inputs import InputBuilder
    from engage_pipeline.model.network.network_files import load_network
    from engage_pipeline.model.network.scoring import BATCH_ROWS
    from engage_pipeline_tests.benchmarks.alternatives.onnx_way import session

    network = load_network(wide_folder(world, "auto"))
    path, codes = wide_inputs(world)
    rows = next(network.reader.stream(path, stop=8 * BATCH_ROWS))
    inputs = InputBuilder.of(network, codes, torch.device("cpu"))
    running = session(network, world.threads)

    def work() -> Done:
        for start in range(0, len(rows), BATCH_ROWS):
            known, categories, *_ = inputs.build(rows.take(np.arange(start, min(start + BATCH_ROWS, len(rows)))))
            running.run(["logits"], {"known": known.numpy(), "categories": categories.numpy()})
        return Done(len(rows))

    yield work


@dataclass(frozen=True)
class Alternative:
    """What it is called, the packages it needs, and the stage."""

    name: str
    packages: tuple[str, ...]
    stage: Stage

    @property
    def missing(self) -> str | None:
        """A package that is not installed."""
        return next((package for package in self.packages if find_spec(package) is None), None)


_POLARS = ("Polars", ("polars",))
ALTERNATIVES: dict[str, Alternative] = {
    "ingest": Alternative(*_POLARS, ingest),
    "interaction_counts": Alternative(*_POLARS, interaction_counts),
    "interaction_features": Alternative(*_POLARS, interaction_features),
    "similarity_24000": Alternative("SetSimilaritySearch", ("SetSimilaritySearch",), similarity_24000),
    "token_sketches": Alternative("one tweet at a time", (), partial(_one_tweet, "token_sketches")),
    "token_sketches_768": Alternative("one tweet at a time", (), partial(_one_tweet, "token_sketches_768")),
    "score_1500": Alternative("ONNX Runtime", ("onnx", "onnxruntime"), score_1500),
}
