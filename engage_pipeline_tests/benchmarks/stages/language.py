"""Stages of the language: from token ids to codes and topics."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import World

WIDE_TWEETS = 1500
"""At most so many distinct tweets are read by an encoder of the real size."""
WIDE_ENCODER = {"tiny_dim": 768, "tiny_layers": 6, "max_tweets": WIDE_TWEETS}
"""The size of distilbert-base-multilingual-cased, with random weights."""


@contextmanager
def finetuned_encoder(world: World) -> Iterator[Work]:
    """The tiny encoder as it is made, not fine-tuned."""
    from engage_pipeline.language.finetuning import finetune_encoder

    with world.store.publish("finetuned_encoder") as draft, world.store.workspace("finetuned_encoder") as workspace:
        tweets = world.store.part_paths("finetuned_encoder", "tweets.parquet")

        def work() -> Done:
            finetune_encoder(tweets, draft.directory, workspace, world.store.settings)
            return Done(0)

        yield work


@contextmanager
def token_sketches(world: World) -> Iterator[Work]:
    """Vectors of the tokens; its rows are the distinct tweets that the encoder reads."""
    with world.store.publish("token_sketches") as draft:
        tweets = world.store.part_paths("token_sketches", "tweets.parquet")
        encoder = world.store.open("finetuned_encoder").directory()
        _import_encoders()
        yield lambda: _sketch(encoder, tweets, draft.directory, world.store.settings)


@contextmanager
def token_sketches_768(world: World) -> Iterator[Work]:
    """The same with an encoder of the real size."""
    settings, encoder = wide_encoder(world)
    folder = world.folder / "token_sketches_768"
    folder.mkdir()
    tweets = world.store.part_paths("token_sketches", "tweets.parquet")
    _import_encoders()
    yield lambda: _sketch(encoder, tweets, folder, settings)


def wide_encoder(world: World) -> tuple[Settings, Path]:
    """Settings of an encoder of the real size, and the folder where it is: made by the first who asks."""
    from engage_pipeline.language.encoders import save_encoder, starting_encoder

    settings = world.settings(encoder=WIDE_ENCODER)
    folder = world.folder / "wide_encoder"
    if not folder.exists():
        folder.mkdir()
        save_encoder(starting_encoder(settings), folder)
    return settings, folder


def _import_encoders() -> None:
    """What loading an encoder imports, so that it is not measured."""
    from transformers import AutoConfig, AutoModelForMaskedLM, DistilBertForMaskedLM  # noqa: F401


def _sketch(encoder: Path, tweets: list[Path], output: Path, settings: Settings) -> Done:
    from engage_pipeline.language.token_vectors import sketch_tokens

    return Done(sketch_tokens(encoder, tweets, output, settings)["tweets"])


@contextmanager
def emde_sketches(world: World) -> Iterator[Work]:
    """Codes of the tokens; its rows are the tokens."""
    from engage_pipeline.language.emde import code_tokens

    with world.store.publish("emde_sketches") as draft:
        vectors = world.store.open("token_sketches").path("token_vectors.parquet")
        yield lambda: Done(code_tokens(vectors, draft.directory, world.store.settings)["tokens"])


@contextmanager
def tweet_topics(world: World) -> Iterator[Work]:
    """Topics; its rows are the distinct tweets that they are fitted to."""
    from engage_pipeline.language.topics import fit_topics

    with world.store.publish("tweet_topics") as draft:
        tweets = world.store.part_paths("tweet_topics", "tweets.parquet")
        yield lambda: Done(fit_topics(tweets, draft.directory, world.store.settings)["tweets"])


def read_codes(world: World) -> np.ndarray:
    """The codes of the tokens in the world's sketch."""
    from engage_pipeline.language.codes import load_codes

    return load_codes(world.store.open("emde_sketches").path("codes.parquet"))


def read_languages(world: World) -> list[str]:
    """The languages that a network knows, in order."""
    return pq.read_table(world.store.open("interaction_counts").path("languages.parquet"))["language"].to_pylist()


STAGES: dict[str, Stage] = {
    "finetuned_encoder": finetuned_encoder,
    "token_sketches": token_sketches,
    "token_sketches_768": token_sketches_768,
    "emde_sketches": emde_sketches,
    "tweet_topics": tweet_topics,
}
