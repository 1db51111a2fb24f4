"""Writes rows to raw parts, and labels and oracles to Parquet; every file appears whole or not at all."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.progress import Progress
from engage_pipeline.synthetic.draws import random_ids
from engage_pipeline.synthetic.exposures import Exposures
from engage_pipeline.synthetic.labels import Labels
from engage_pipeline.synthetic.text import booleans, tweet_texts, user_texts
from engage_pipeline.synthetic.tweets import Tweets
from engage_pipeline.synthetic.world import World

SLICE_ROWS = 50_000
TIMESTAMP_TARGETS = [
    [schema.engagement_timestamp(target) for target in schema.TARGETS].index(column.name)
    for column in schema.COLUMNS[schema.N_TEST_COLUMNS :]
]
"""Position among TARGETS of each of the last four columns."""
PART = "part"


@dataclass(frozen=True)
class SpelledRows:
    """All rows, and the texts of which they are composed."""

    exposures: Exposures
    labels: Labels
    user_ids: pa.Array  # over people
    people: pa.Array  # over people: five columns
    tweet_ids: pa.Array  # over tweets
    tweets: pa.Array  # over tweets: fourteen columns, the author's among them


def spell_rows(
    rng: np.random.Generator, world: World, tweets: Tweets, exposures: Exposures, labels: Labels
) -> SpelledRows:
    """Converts tweets and people to text, each once."""
    people = user_texts(world, exposures.followers, exposures.verified)
    tweet_ids = random_ids(rng, tweets.author.size)
    return SpelledRows(
        exposures=exposures,
        labels=labels,
        user_ids=world.user_ids,
        people=people,
        tweet_ids=tweet_ids,
        tweets=tweet_texts(rng, world, tweets, people, tweet_ids),
    )


def write_part(path: Path, rows: SpelledRows, first: int, end: int, *, labelled: bool, written: Progress) -> None:
    """Writes the rows `first` … `end` - 1 as a raw part of 24 columns, or 20 if it is not labelled."""
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        for start in range(first, end, SLICE_ROWS):
            stop = min(start + SLICE_ROWS, end)
            lines = _lines(rows, slice(start, stop), labelled=labelled)
            block = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, stop - start], pa.int32()), lines), "\n")[0]
            file.write(block.as_buffer())
            file.write(b"\n")
            written.advance(stop - start)


def _lines(rows: SpelledRows, part: slice, *, labelled: bool) -> pa.Array:
    columns = [
        rows.tweets.take(pa.array(rows.exposures.tweet[part])).cast(pa.string()),
        rows.people.take(pa.array(rows.exposures.viewer[part])),
        booleans(rows.exposures.follows[part]),
    ]
    if labelled:
        for target in TIMESTAMP_TARGETS:
            moments = rows.labels.timestamps[part, target]
            columns.append(pa.array(moments, mask=moments == 0).cast(pa.string()).fill_null(""))
    return pc.binary_join_element_wise(*columns, schema.FIELD_SEPARATOR)


def write_oracle(path: Path, rows: SpelledRows, first: int, end: int, part: str) -> None:
    """Writes the true probability of each label of a part's rows, in order: a double column per engagement."""
    probabilities = rows.labels.probabilities[first:end]
    columns = dict(zip(schema.TARGETS, probabilities.T, strict=True))
    _write_table(path, {**_identity(first, end, part), **columns})


def write_labels(path: Path, rows: SpelledRows, first: int, end: int, part: str) -> None:
    """Writes the labels (bool) of a part's rows, in order, with the ids and follower counts that scoring needs."""
    exposures = rows.exposures
    engaged = rows.labels.timestamps[first:end] > 0
    columns = {
        "tweet_id": rows.tweet_ids.take(pa.array(exposures.tweet[first:end])).cast(pa.string()),
        "engaging_user_id": rows.user_ids.take(pa.array(exposures.viewer[first:end])).cast(pa.string()),
        "engaged_with_user_follower_count": exposures.followers[exposures.author[first:end]],
        **dict(zip(schema.TARGETS, engaged.T, strict=True)),
    }
    _write_table(path, {**columns, **_identity(first, end, part)})


def _identity(first: int, end: int, part: str) -> dict[str, pa.Array]:
    return {
        schema.LINE_NUMBER: pa.array(np.arange(end - first, dtype=np.int64)),
        PART: pa.array(np.full(end - first, part), pa.string()),
    }


def _write_table(path: Path, columns: dict[str, object]) -> None:
    with atomic_file(path) as temporary:
        pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), temporary)
