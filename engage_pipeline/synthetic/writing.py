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
from engage_pipeline.synthetic.draws import Flags, Integers
from engage_pipeline.synthetic.exposures import Exposures
from engage_pipeline.synthetic.labels import Labels
from engage_pipeline.synthetic.text import booleans

SLICE_ROWS = 50_000
TIMESTAMP_TARGETS = [
    [schema.engagement_timestamp(target) for target in schema.TARGETS].index(column.name)
    for column in schema.COLUMNS[schema.N_TEST_COLUMNS :]
]
"""Position among TARGETS of each of the last four columns."""
PART = "part"


@dataclass(frozen=True)
class SpelledRows:
    """The rows of a window, and the texts of which they are composed."""

    exposures: Exposures
    labels: Labels
    follows: Flags  # over rows
    user_ids: pa.Array  # over people
    people: pa.Array  # over people: five columns
    followers: Integers  # over people
    tweet_ids: pa.Array  # over tweets
    tweets: pa.Array  # over tweets: fourteen columns, the author's among them


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
        booleans(rows.follows[part]),
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
    tweet_id, user_id, followers = _scored(rows, slice(first, end))
    columns = {
        "tweet_id": tweet_id,
        "engaging_user_id": user_id,
        "engaged_with_user_follower_count": followers,
        **dict(zip(schema.TARGETS, _engaged(rows, slice(first, end)).T, strict=True)),
    }
    _write_table(path, {**columns, **_identity(first, end, part)})


def write_truth(path: Path, rows: SpelledRows, first: int, end: int) -> None:
    """Writes labels (bool) and true probabilities (`p_…`, double) of a part's rows, in order, for scoring elsewhere."""
    part = slice(first, end)
    tweet_id, user_id, followers = _scored(rows, part)
    probabilities = dict(zip(schema.TARGETS, rows.labels.probabilities[part].T, strict=True))
    labels = dict(zip(schema.TARGETS, _engaged(rows, part).T, strict=True))
    columns = {
        "tweet_id": tweet_id,
        "user_id": user_id,
        **{target: labels[target] for target in schema.SUBMISSION_ENGAGEMENTS},
        **{f"p_{target}": probabilities[target] for target in schema.SUBMISSION_ENGAGEMENTS},
        "author_followers": followers,
    }
    _write_table(path, columns)


def _scored(rows: SpelledRows, part: slice) -> tuple[pa.Array, pa.Array, Integers]:
    """Returns tweet ids, viewers' ids and the authors' follower counts."""
    exposures = rows.exposures
    return (
        rows.tweet_ids.take(pa.array(exposures.tweet[part])).cast(pa.string()),
        rows.user_ids.take(pa.array(exposures.viewer[part])).cast(pa.string()),
        rows.followers[exposures.author[part]],
    )


def _engaged(rows: SpelledRows, part: slice) -> Flags:
    return rows.labels.timestamps[part] > 0


def _identity(first: int, end: int, part: str) -> dict[str, pa.Array]:
    return {
        schema.LINE_NUMBER: pa.array(np.arange(end - first, dtype=np.int64)),
        PART: pa.array(np.full(end - first, part), pa.string()),
    }


def _write_table(path: Path, columns: dict[str, object]) -> None:
    with atomic_file(path) as temporary:
        pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), temporary)
