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
from engage_pipeline.interactions.features.feature_row import FeatureRow
from engage_pipeline.model.feature_columns import Features
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
    "engaging_user_follower_count",
    "engaging_user_following_count",
    "engaging_user_account_age_days",
    "engaging_user_is_verified",
    "engaged_with_user_follower_count",
    "engaged_with_user_following_count",
    "engaged_with_user_account_age_days",
    "engaged_with_user_is_verified",
)
"""The columns that are read of a feature row (schema.feature_schema)."""
_TEXT_COLUMNS = [*schema.TOKEN_COLUMNS, "language"]
_SIZES = {
    "viewer_followers": "engaging_user_follower_count",
    "viewer_following": "engaging_user_following_count",
    "viewer_age": "engaging_user_account_age_days",
    "author_followers": "engaged_with_user_follower_count",
    "author_following": "engaged_with_user_following_count",
    "author_age": "engaged_with_user_account_age_days",
}
"""The columns behind fields that are steps of a size (size_steps)."""
FEW_TOGETHER = (
    frozenset({"viewer_following", "viewer_followers", "viewer_verified", "viewer_age"}),
    frozenset({"author_following", "author_followers", "author_verified", "author_age"}),
    frozenset({"language", "tweet_type", "media", "hour", "hours", "follows", "n_hashtags", "has_link"}),
    frozenset({"length", "time_left", "day"}),
)
"""Fields that have few values in any data, and of which few combinations occur: a size has some 40 steps, and the time
left counts on the last day of a window alone."""
WIDE = frozenset({"viewer", "author", "tweet", "hashtag", "language", "named"})
"""The fields that are hashes of 64 bits; the others are below 2^31."""
HOURS_A_BAND = 4
MOST_HASHTAGS = 5
TIME_LEFT_HOURS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 24)
"""Edges of the steps of the time left in the window, during which the chance of an engagement shrinks."""
DAY, _HOUR = 86_400, 3_600
_ALMOST_ALL = 0.999
_LAST_DAY = 1 << 20
_OLDEST_HOURS, _MIDDLE_HOURS = 24 * 365, 24 * 14
"""Ages count from two weeks before the end, so that slopes and levels are told apart."""


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
    day: np.ndarray
    age: np.ndarray
    length: np.ndarray
    named: np.ndarray
    first_word: np.ndarray
    viewer_followers: np.ndarray
    viewer_following: np.ndarray
    viewer_age: np.ndarray
    viewer_verified: np.ndarray
    author_followers: np.ndarray
    author_following: np.ndarray
    author_age: np.ndarray
    author_verified: np.ndarray

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.viewer)

    @classmethod
    def from_table(cls, table: Features, clusters: Clusters, window_end: int, newest: int) -> Self:
        """Computes the fields of the rows of `table`, which has ROW_COLUMNS; times in Unix seconds UTC: `window_end` of
        the rows, `newest` of all rows of the fit.
        """
        tweet, viewer, author, hashtag, language = _fingerprints(table, (*schema.IDENTITY_COLUMNS, "language"))
        hour, timestamps = _numbers(table, "hour"), _numbers(table, schema.TWEET_TIMESTAMP)
        texts = _of_texts(table, clusters.topics)
        sizes = size_steps(np.stack([texts["length"], *(_numbers(table, name) for name in _SIZES.values())]))
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
            topic=texts["topic"],
            viewer_community=1 + clusters.communities.of_viewers(viewer),
            author_community=1 + clusters.communities.of_authors(author),
            time_left=time_left(timestamps, window_end),
            day=1 + np.clip(timestamps // DAY, 0, _LAST_DAY),
            age=np.clip((newest - np.maximum(timestamps, 0)) // _HOUR, 0, _OLDEST_HOURS) - _MIDDLE_HOURS,
            length=sizes[0],
            named=texts["named"],
            first_word=texts["first_word"],
            **dict(zip(_SIZES, sizes[1:], strict=True)),
            viewer_verified=1 + _numbers(table, "engaging_user_is_verified"),
            author_verified=1 + _numbers(table, "engaged_with_user_is_verified"),
        )


def size_steps(counts: np.ndarray) -> np.ndarray:
    """Returns the step of each count, int64 [n], from 1: two for each doubling."""
    return 1 + np.floor(2 * np.log2(1.0 + np.maximum(counts, 0))).astype(np.int64)


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


def _fingerprints(table: Features, names: Sequence[str]) -> list[np.ndarray]:
    """Returns the fingerprints of several columns, int64 [n] each, in one call, since calls dominate with few rows."""
    if isinstance(table, FeatureRow):
        found = fingerprints([text for name in names for text in table[name]])
    else:
        found = fingerprints(pa.chunked_array([chunk for name in names for chunk in table[name].chunks], pa.string()))
    return list(found.reshape(len(names), -1))


def _of_texts(table: Features, topics: "TopicModel") -> dict[str, np.ndarray]:
    """Returns the number of tokens of each row's text, and three fields, int64 [n] each: of equal texts once."""
    # numba takes half a second to import
    from engage_pipeline.model.effects.openings import openings_of
    from engage_pipeline.numerics.distinct import distinct_rows

    number: np.ndarray | slice = slice(None)
    if not isinstance(table, FeatureRow):
        first, number = distinct_rows(table.select(_TEXT_COLUMNS))
        table = table.select(_TEXT_COLUMNS).take(first)
    offsets, tokens = tokens_of(table)
    lengths = np.diff(offsets)
    named, first_word = openings_of(offsets, tokens)
    topic = 1 + topics.assign(tokens, lengths, table["language"]).astype(np.int64)
    found = {"length": lengths, "named": named, "first_word": first_word, "topic": topic}
    return {name: values[number] for name, values in found.items()}


def _code(table: Features, flags: Sequence[str]) -> np.ndarray:
    """Packs flags into the bits of one number, int64 [n]."""
    return sum((_numbers(table, name) << bit for bit, name in enumerate(flags)), np.zeros(table.num_rows, np.int64))


def _numbers(table: Features, name: str) -> np.ndarray:
    return np.asarray(table[name]).astype(np.int64)
