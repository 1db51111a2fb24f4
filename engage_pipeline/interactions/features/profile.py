"""The features of a row itself: sizes, ages, flags, hour and day of month (UTC), ids and labels.

Missing numbers are 0, missing flags false. What does not belong here: counters (features.windows).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engage_pipeline import schema

_DAY = 86_400
_CYCLE = 12_622_780_800
"""Seconds of 400 years, after which the calendar repeats."""
Column = Any
"""A numpy array [n] or an Arrow array."""


def profile(tweets: pa.Table) -> dict[str, Column]:
    """Returns the columns of schema.feature_schema that depend on the row alone, for rows of schema.tweet_schema.

    Columns of text may be dictionaries. Rows without labels get none.
    """
    written, known = _numbers(tweets["tweet_timestamp"])
    seconds = written % _CYCLE
    days = (seconds // _DAY).astype("datetime64[D]")
    columns: dict[str, Column] = {
        **{name: _whole(tweets[name]) for name in (schema.LINE_NUMBER, schema.ENGAGEMENT_DAY, "language")},
        schema.TWEET_TIMESTAMP: written,
        "hour": (seconds % _DAY // 3600).astype(np.int8),
        "day_of_month": (days - days.astype("datetime64[M]")).astype(np.int8),
        **{name: _whole(tweets[name]) for name in schema.TOKEN_COLUMNS},
        "n_hashtags": _lengths(tweets["hashtags"]),
        "n_tokens": pc.fill_null(pc.binary_length(tweets[schema.TEXT_TOKENS_HIGH]), 0).to_numpy().astype(np.int64),
        "has_hashtag": _lengths(tweets["hashtags"]) > 0,
        "has_link": _lengths(tweets["present_links"]) > 0,
        "has_domain": _lengths(tweets["present_domains"]) > 0,
        "engagee_follows_engager": _flags(tweets["engagee_follows_engager"]),
        **{name: _whole(tweets[name]) for name in schema.IDENTITY_COLUMNS[:3]},
        "first_hashtag": _first(tweets["hashtags"]),
    }
    for user in ("engaged_with_user", "engaging_user"):
        columns |= _of_user(tweets, user, written, known)
    for kind in schema.MEDIA:
        columns[f"has_{kind.lower()}"] = _contains(tweets["present_media"], kind)
    for name, kind in (("is_quote", "Quote"), ("is_retweet", "Retweet"), ("is_top_level", "TopLevel")):
        columns[name] = _equals(tweets["tweet_type"], kind)
    if schema.SPLIT in tweets.column_names:
        columns[schema.SPLIT] = _whole(tweets[schema.SPLIT])
    times = {target: schema.engagement_timestamp(target) for target in schema.TARGETS}
    columns |= {
        target: tweets[name].is_valid().to_numpy() for target, name in times.items() if name in tweets.column_names
    }
    return columns


def _of_user(
    tweets: pa.Table, user: str, written: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> dict[str, Column]:
    created, created_known = _numbers(tweets[f"{user}_account_creation"])
    age = np.floor((written.astype(np.float64) - created.astype(np.float64)) / _DAY)
    return {
        f"{user}_follower_count": _numbers(tweets[f"{user}_follower_count"])[0],
        f"{user}_following_count": _numbers(tweets[f"{user}_following_count"])[0],
        f"{user}_account_age_days": np.where(known & created_known, age, 0).astype(np.int64),
        f"{user}_is_verified": _flags(tweets[f"{user}_is_verified"]),
    }


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return (
        column.unify_dictionaries().combine_chunks() if pa.types.is_dictionary(column.type) else column.combine_chunks()
    )


def _numbers(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Returns the numbers, 0 where missing, and which are known."""
    return pc.fill_null(column, 0).to_numpy(), column.is_valid().to_numpy()


def _flags(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return pc.fill_null(column, False).to_numpy()


def _lengths(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)


def _equals(column: pa.ChunkedArray, value: str) -> npt.NDArray[np.bool_]:
    if not pa.types.is_dictionary(column.type):
        return pc.fill_null(pc.equal(column, value), False).to_numpy()
    return _of_dictionary(_whole(column), lambda values: pc.equal(values, value))


def _of_dictionary(column: pa.DictionaryArray, test: Callable[[pa.Array], pa.Array]) -> npt.NDArray[np.bool_]:
    """Returns the result of a test of each row's value; false where it is missing."""
    passed = np.append(np.asarray(test(column.dictionary).fill_null(False)), False)
    return passed[column.indices.fill_null(len(column.dictionary)).to_numpy(zero_copy_only=False)]


def _contains(column: pa.ChunkedArray, value: str) -> npt.NDArray[np.bool_]:
    lists = column.combine_chunks()
    values = lists.flatten()
    equal = _equals(pa.chunked_array([values]), value)
    found = np.zeros(len(lists), np.bool_)
    found[np.asarray(pc.list_parent_indices(lists))[equal]] = True
    return found


def _first(column: pa.ChunkedArray) -> pa.Array:
    """Returns the first text of each list; null for an empty list."""
    lists = column.combine_chunks()
    offsets, lengths = np.asarray(lists.offsets), _lengths(column)
    return lists.values.take(pa.array(offsets[:-1], mask=lengths == 0))
