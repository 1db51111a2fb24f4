"""Stages the way of the reference, in plain Python, on a sample of the rows: nothing is checked or written."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS
from engage_pipeline.numerics.token_bytes import with_token_lists
from engage_pipeline_tests.benchmarks.plain_way import counters, lines
from engage_pipeline_tests.benchmarks.stages.language import read_languages
from engage_pipeline_tests.benchmarks.stages.networks import wide_inputs, wide_settings
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import PART, World

SAMPLE_ROWS = 20_000
NETWORK_ROWS = 1024
"""At most so many rows are worked in plain Python, and read by the network."""


@contextmanager
def ingest(world: World) -> Iterator[Work]:
    """Lines to typed values in memory."""

    def work() -> Done:
        with world.source("tweet_parts").open(encoding="utf-8", newline="\n") as file:
            return Done(len([lines.read_line(line) for line in islice(file, SAMPLE_ROWS)]))

    yield work


@contextmanager
def interaction_counts(world: World) -> Iterator[Work]:
    """The counters of the training rows, from typed rows that are in memory."""
    rows = _training_rows(world)

    def work() -> Done:
        counters.Window().add(rows, schema.ENGAGEMENT_DAY)
        return Done(len(rows))

    yield work


@contextmanager
def interaction_features(world: World) -> Iterator[Work]:
    """The 65 features of the training rows, from counters and typed rows that are in memory."""
    rows = _training_rows(world)
    of_row = feature_reader(world, rows)
    yield lambda: Done(len([of_row(row, row[schema.ENGAGEMENT_DAY]) for row in rows]))


def feature_reader(world: World, rows: list[counters.Row]) -> Callable[[counters.Row, int | None], list[float]]:
    """The function from a row and the day left out to the 65 features, where `rows` are all that count."""
    training, validation = counters.Window(), counters.Window()
    training.add(rows, schema.ENGAGEMENT_DAY)
    shown = pq.read_table(world.store.open("validation_tweets").path("tweets.parquet")).to_pylist()
    validation.add((row for row in shown if row[schema.SPLIT] != schema.HOLDOUT), schema.SPLIT)
    graph: dict[str, list[tuple[str, float]]] = {}
    for edge in pq.read_table(world.store.open("author_similarity").path(SIMILAR_AUTHORS)).to_pylist():
        graph.setdefault(edge["author"], []).append((edge["similar"], edge["jaccard"]))
    return lambda row, day: counters.features(row, day, training, validation, graph)


def _training_rows(world: World) -> list[counters.Row]:
    with pq.ParquetFile(world.store.open("tweet_parts", PART).path("tweets.parquet")) as file:
        return next(file.iter_batches(SAMPLE_ROWS)).to_pylist()


def _network(training: bool, world: World) -> AbstractContextManager[Work]:
    """One pass of the full network over feature rows that are in memory, input and all: of training or of scoring."""
    from engage_pipeline_tests.benchmarks.plain_way import network

    @contextmanager
    def stage() -> Iterator[Work]:
        path, codes = wide_inputs(world)
        with pq.ParquetFile(path) as file:
            table = pa.Table.from_batches([next(file.iter_batches(NETWORK_ROWS))])
        rows = with_token_lists(table).to_pylist()
        settings, names = wide_settings(world), read_languages(world)
        languages = {name: place for place, name in enumerate(names)}
        width = settings.sketch_width
        plain = network.PlainNetwork(
            len(network.row_input(rows[0], codes, width)), len(names), settings.network.hidden_size
        )
        step = network.train if training else network.predict

        def work() -> Done:
            step(plain, rows, codes, width, languages)
            return Done(len(rows))

        yield work

    return stage()


@contextmanager
def predict_1500(world: World) -> Iterator[Work]:
    """Raw test lines to probabilities, a row at a time but for the network, whose batches are 256; no trees."""
    from engage_pipeline_tests.benchmarks.plain_way import network

    _, codes = wide_inputs(world)
    settings, names = wide_settings(world), read_languages(world)
    languages = {name: place for place, name in enumerate(names)}
    of_row = feature_reader(world, _training_rows(world))
    with world.test_part(quarter=True).open(encoding="utf-8", newline="\n") as file:
        texts = list(islice(file, NETWORK_ROWS))
    first = feature_row(lines.read_line(texts[0]), of_row)
    plain = network.PlainNetwork(
        len(network.row_input(first, codes, settings.sketch_width)), len(names), settings.network.hidden_size
    )

    def work() -> Done:
        rows = [feature_row(lines.read_line(text), of_row) for text in texts]
        network.predict(plain, rows, codes, settings.sketch_width, languages)
        return Done(len(rows))

    yield work


def feature_row(row: counters.Row, of_row: Callable[[counters.Row, int | None], list[float]]) -> dict[str, Any]:
    """A test row as the network reads it, by column name."""
    unlabelled = {schema.engagement_timestamp(name): None for name in schema.ENGAGEMENTS}
    values = of_row({**row, **unlabelled}, None)
    return {
        **dict(zip(schema.INTERACTION_FEATURES, values, strict=True)),
        **lines.profile(row),
        "text_tokens": row["text_tokens"],
        "language": row["language"],
    }


STAGES: dict[str, Stage] = {
    "ingest": ingest,
    "interaction_counts": interaction_counts,
    "interaction_features": interaction_features,
    "network_1500": partial(_network, True),
    "score_1500": partial(_network, False),
    "predict_1500": predict_1500,
}
