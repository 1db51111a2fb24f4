"""The fields of feature rows from which the keys of effects are made.

A field is int64: a fingerprint, or a small number counted from 1; NO_FINGERPRINT if it is unknown. What does not
belong here: which fields an effect uses (effects).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT, fingerprints
from engage_pipeline.numerics.stray_days import in_window
from engage_pipeline.numerics.token_bytes import tokens_of

if TYPE_CHECKING:
    from engage_pipeline.interactions.graphs.communities import Communities
    from engage_pipeline.language.topics import TopicModel

ROW_COLUMNS = (
    *schema.IDENTITY_COLUMNS,
    schema.TWEET_TIMESTAMP,
    "language",
    *schema.TOKEN_COLUMNS,
    "n_hashtags",
    "hour",
    "engagee_follows_engager",
    "has_gif",
    "has_photo",
    "has_video",
    "has_link",
    "is_quote",
    "is_retweet",
    "is_top_level",
)
"""The columns that are read of a feature row (schema.feature_schema)."""
FEW_VALUES = frozenset(
    {"language", "tweet_type", "media", "hour", "hours", "follows", "n_hashtags", "has_link", "time_left"}
)
"""The fields with few values in any data, so that their combinations are few, too."""
HOURS_A_BAND = 4
MOST_HASHTAGS = 5
TIME_LEFT_HOURS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 24)
"""Edges of the steps of the time left in the window, during which the chance of an engagement shrinks."""
DAY, _HOUR = 86_400, 3_600
_ALMOST_ALL = 0.999


@dataclass(frozen=True)
class Clusters:
    """The models that assign topics and communities to rows."""

    topics: "TopicModel"
    communities: "Communities"


@dataclass(frozen=True)
class EffectRows:
    """n rows, each field int64 [n]."""

    viewer: np.ndarray
    author: np.ndarray
    tweet: np.ndarray
    hashtag: np.ndarray
    language: np.ndarray
    tweet_type: np.ndarray
    media: np.ndarray
    hour: np.ndarray
    hours: np.ndarray
    follows: np.ndarray
    n_hashtags: np.ndarray
    has_link: np.ndarray
    topic: np.ndarray
    viewer_community: np.ndarray
    author_community: np.ndarray
    time_left: np.ndarray

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.viewer)

    @classmethod
    def from_table(cls, table: pa.Table, clusters: Clusters, window_end: int) -> Self:
        """Computes the fields of the rows of `table`, which has ROW_COLUMNS; `window_end` in Unix seconds UTC."""
        tweet, viewer, author, hashtag, language = _fingerprints(table, (*schema.IDENTITY_COLUMNS, "language"))
        hour = _numbers(table, "hour")
        return cls(
            viewer=viewer,
            author=author,
            tweet=tweet,
            hashtag=hashtag,
            language=language,
            tweet_type=1 + _code(table, ("is_quote", "is_retweet", "is_top_level")),
            media=1 + _code(table, ("has_gif", "has_photo", "has_video")),
            hour=1 + hour,
            hours=1 + hour // HOURS_A_BAND,
            follows=1 + _numbers(table, "engagee_follows_engager"),
            n_hashtags=1 + np.minimum(_numbers(table, "n_hashtags"), MOST_HASHTAGS),
            has_link=1 + _numbers(table, "has_link"),
            topic=1 + topics_of(table, clusters.topics),
            viewer_community=1 + clusters.communities.of_viewers(viewer),
            author_community=1 + clusters.communities.of_authors(author),
            time_left=time_left(_numbers(table, schema.TWEET_TIMESTAMP), window_end),
        )


def topics_of(table: pa.Table, topics: "TopicModel") -> np.ndarray:
    """Returns the topic of each row, int64 [n], -1 = none."""
    offsets, tokens = tokens_of(table)
    return topics.assign(tokens, np.diff(offsets), table["language"]).astype(np.int64)


def time_left(timestamps: np.ndarray, window_end: int) -> np.ndarray:
    """Returns the step of TIME_LEFT_HOURS, from 1, of the time from tweet to window end; NO_FINGERPRINT after it."""
    hours = (window_end - timestamps.astype(np.float64)) / _HOUR  # a stray timestamp may be any int64
    return np.where(hours < 0, NO_FINGERPRINT, 1 + np.searchsorted(TIME_LEFT_HOURS, hours, side="right"))


def end_of_window(timestamps: np.ndarray) -> int:
    """Returns the end of the UTC day by which almost all tweets were written, in Unix seconds, without stray days.

    `timestamps` int64 [n] in Unix seconds, 0 = missing. Returns 0 if there are no tweets.
    """
    return end_of_days(*np.unique(timestamps // DAY, return_counts=True))


def end_of_days(days: np.ndarray, rows: np.ndarray) -> int:
    """Does what `end_of_window` does from `days` since 1970, int64 [d], rising, and the `rows` of each, int64 [d]."""
    if not len(days):
        return 0
    window = in_window(days, rows)
    until = np.cumsum(rows[window])
    day = days[window][np.searchsorted(until, int(_ALMOST_ALL * until[-1]), side="right")]
    return (int(day) + 1) * DAY


def _fingerprints(table: pa.Table, names: Sequence[str]) -> list[np.ndarray]:
    """Returns the fingerprints of several columns, int64 [n] each, in one call, since calls dominate with few rows."""
    chunks = [chunk for name in names for chunk in table[name].chunks]
    found = fingerprints(pa.chunked_array(chunks, pa.string()))
    return np.split(found, len(names))


def _code(table: pa.Table, flags: Sequence[str]) -> np.ndarray:
    """Packs flags into the bits of one number, int64 [n]."""
    return sum((_numbers(table, name) << bit for bit, name in enumerate(flags)), np.zeros(table.num_rows, np.int64))


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy().astype(np.int64)
