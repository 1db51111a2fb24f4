"""Counters and the 65 features the way of the reference: a Counter filled and looked up a row at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engage_pipeline import schema

Row = Mapping[str, Any]
Key = tuple[str, ...]
Graph = Mapping[str, Sequence[tuple[str, float]]]
NEGATIVE = "negative"


class Window:
    """Counts of one window by engagement and key, in total and by fold."""

    def __init__(self) -> None:
        self.totals: Counter[Key] = Counter()
        self.by_fold: Counter[tuple[int, Key]] = Counter()

    def add(self, rows: Iterable[Row], fold: str) -> None:
        for row in rows:
            engaged = [name for name in schema.ENGAGEMENTS if row[schema.engagement_timestamp(name)] is not None]
            for key in keys(row):
                for engagement in engaged or [NEGATIVE]:
                    self.totals[engagement, *key] += 1
                    self.by_fold[row[fold], (engagement, *key)] += 1

    def count(self, key: Key, fold: int | None) -> int:
        """How many rows of other folds than `fold` have `key`, which begins with the engagement."""
        return self.totals[key] - (self.by_fold[fold, key] if fold is not None else 0)

    def counts(self, key: Sequence[str | None], fold: int | None) -> list[int]:
        """The counts of each of ENGAGEMENTS for the key."""
        return [self.count((engagement, *key), fold) for engagement in schema.ENGAGEMENTS]


def keys(row: Row) -> Iterator[Key]:
    """The keys of a row, each beginning with its kind; a key with a missing value is none."""
    author, viewer = row["engaged_with_user_id"], row["engaging_user_id"]
    for key in (
        ("pair", author, viewer),
        ("author", author),
        ("viewer", viewer),
        ("language", row["language"], viewer),
        ("tweet", row["tweet_id"]),
        *(("hashtag", hashtag, viewer) for hashtag in row["hashtags"]),
    ):
        if None not in key:
            yield key


def features(row: Row, day: int | None, training: Window, validation: Window, graph: Graph) -> list[float]:
    """The values of INTERACTION_FEATURES for a row; `day` is the fold of the training window that is left out."""
    author, viewer = row["engaged_with_user_id"], row["engaging_user_id"]
    values: list[float] = [*_shown(row, schema.TRAINING_KEYS, training, day)]
    similar = graph.get(author, ())
    for engagement in schema.ENGAGEMENTS:
        values.append(sum(score * training.count((engagement, "pair", s, viewer), day) for s, score in similar))
    values.append(sum(score for _, score in similar))
    values += _shown(row, schema.VALIDATION_KEYS, validation, None)
    for key in (("pair", viewer, author), ("author", viewer), ("viewer", author)):
        values += validation.counts(key, None)
    for key in (("pair", author, viewer), ("author", author), ("viewer", viewer), ("tweet", row["tweet_id"])):
        values.append(validation.count((NEGATIVE, *key), None))
    return values


def _shown(row: Row, kinds: Sequence[str], window: Window, fold: int | None) -> list[int]:
    sums = {kind: [0] * len(schema.ENGAGEMENTS) for kind in kinds}
    for key in keys(row):
        if key[0] in sums:
            sums[key[0]] = [before + new for before, new in zip(sums[key[0]], window.counts(key, fold), strict=True)]
    return [count for kind in kinds for count in sums[kind]]
