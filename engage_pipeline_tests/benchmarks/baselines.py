"""What stages are held against: the reference's way in plain Python, and the limit that reading alone sets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.interactions.similarity import SIMILAR_AUTHORS
from engage_pipeline_tests.benchmarks import plain
from engage_pipeline_tests.benchmarks.stages.stage import Done, Stage, Work
from engage_pipeline_tests.benchmarks.world import PART, World

SAMPLE_ROWS = 20_000
"""At most so many training rows are worked in plain Python."""
READ_BYTES = 1 << 20
COUNTED_COLUMNS = (
    schema.ENGAGEMENT_DAY,
    "engaged_with_user_id",
    "engaging_user_id",
    "language",
    "hashtags",
    *(schema.engagement_timestamp(engagement) for engagement in schema.ENGAGEMENTS),
)


@contextmanager
def plain_ingest(world: World) -> Iterator[Work]:
    """Lines to typed values in memory; nothing is checked or written."""

    def work() -> Done:
        with world.source("tweet_parts").open(encoding="utf-8", newline="\n") as file:
            return Done(len([plain.read_line(line) for line in islice(file, SAMPLE_ROWS)]))

    yield work


@contextmanager
def read_raw(world: World) -> Iterator[Work]:
    """The bytes of the part, read and dropped."""
    rows = pq.read_metadata(world.store.open("tweet_parts", PART).path("tweets.parquet")).num_rows

    def work() -> Done:
        with world.source("tweet_parts").open("rb", buffering=0) as file:
            while file.read(READ_BYTES):
                pass
        return Done(rows)

    yield work


@contextmanager
def plain_counts(world: World) -> Iterator[Work]:
    """The counters of the training rows, from typed rows that are in memory."""
    rows = _training_rows(world)

    def work() -> Done:
        plain.Window().add(rows, schema.ENGAGEMENT_DAY)
        return Done(len(rows))

    yield work


@contextmanager
def plain_features(world: World) -> Iterator[Work]:
    """The 65 features of the training rows, from counters and typed rows that are in memory; they are not written."""
    rows = _training_rows(world)
    of_row = feature_reader(world, rows)

    def work() -> Done:
        return Done(len([of_row(row) for row in rows]))

    yield work


def feature_reader(world: World, rows: list[plain.Row]) -> Callable[[plain.Row], list[float]]:
    """The function from a training row to its 65 features, where `rows` are all the training rows that count."""
    training, validation = plain.Window(), plain.Window()
    training.add(rows, schema.ENGAGEMENT_DAY)
    shown = pq.read_table(world.store.open("validation_tweets").path("tweets.parquet")).to_pylist()
    validation.add((row for row in shown if row[schema.SPLIT] != schema.HOLDOUT), schema.SPLIT)
    graph: dict[str, list[tuple[str, float]]] = {}
    for edge in pq.read_table(world.store.open("author_similarity").path(SIMILAR_AUTHORS)).to_pylist():
        graph.setdefault(edge["author"], []).append((edge["similar"], edge["jaccard"]))
    return lambda row: plain.features(row, row[schema.ENGAGEMENT_DAY], training, validation, graph)


def _training_rows(world: World) -> list[plain.Row]:
    with pq.ParquetFile(world.store.open("tweet_parts", PART).path("tweets.parquet")) as file:
        return next(file.iter_batches(SAMPLE_ROWS)).to_pylist()


@contextmanager
def scan_counted(world: World) -> Iterator[Work]:
    """The columns that are counted, read from Parquet and dropped."""
    yield lambda: _scan(world, list(COUNTED_COLUMNS))


@contextmanager
def scan_all(world: World) -> Iterator[Work]:
    """The columns that features are made of, read from Parquet and dropped: all of them."""
    yield lambda: _scan(world, [schema.LINE_NUMBER, *schema.COLUMN_NAMES, schema.ENGAGEMENT_DAY])


def _scan(world: World, columns: list[str]) -> Done:
    tweets = world.store.open("tweet_parts", PART).path("tweets.parquet")
    with pq.ParquetFile(tweets) as file:
        return Done(sum(batch.num_rows for batch in file.iter_batches(columns=columns)))


PLAIN: dict[str, Stage] = {
    "ingest": plain_ingest,
    "interaction_counts": plain_counts,
    "interaction_features": plain_features,
}
LIMITS: dict[str, Stage] = {
    "ingest": read_raw,
    "interaction_counts": scan_counted,
    "interaction_features": scan_all,
}
