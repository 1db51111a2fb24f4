"""The features of a row itself: sizes, ages, flags, hour and day of month (UTC), ids and labels.

Missing numbers are 0, missing flags false. What does not belong here: counters (features.windows), and how columns are
read (features.tweets).
"""

import numpy as np
import numpy.typing as npt

from engage_pipeline import schema
from engage_pipeline.interactions.features.tweets import DAY_SECONDS, Column, Tweets

_CYCLE = 12_622_780_800
"""Seconds of 400 years, after which the calendar repeats."""


def profile(tweets: Tweets) -> dict[str, Column]:
    """Returns the columns of schema.feature_schema that depend on the row alone. Rows without labels get none."""
    written, known = tweets.numbers(schema.TWEET_TIMESTAMP), tweets.known(schema.TWEET_TIMESTAMP)
    seconds = written % _CYCLE
    days = (seconds // DAY_SECONDS).astype("datetime64[D]")
    hashtags = tweets.lengths("hashtags")
    columns: dict[str, Column] = {
        **{name: tweets.whole(name) for name in (schema.LINE_NUMBER, schema.ENGAGEMENT_DAY, "language")},
        schema.TWEET_TIMESTAMP: written,
        "hour": (seconds % DAY_SECONDS // 3600).astype(np.int8),
        "day_of_month": (days - days.astype("datetime64[M]")).astype(np.int8),
        "n_hashtags": hashtags,
        "n_tokens": tweets.token_counts(),
        "has_hashtag": hashtags > 0,
        "has_link": tweets.lengths("present_links") > 0,
        "has_domain": tweets.lengths("present_domains") > 0,
        "engagee_follows_engager": tweets.flags("engagee_follows_engager"),
        **{name: tweets.whole(name) for name in schema.IDENTITY_COLUMNS[:3]},
        "first_hashtag": tweets.first("hashtags"),
    }
    for user in ("engaged_with_user", "engaging_user"):
        columns |= _of_user(tweets, user, written, known)
    for kind in schema.MEDIA:
        columns[f"has_{kind.lower()}"] = tweets.contains("present_media", kind)
    for name, kind in (("is_quote", "Quote"), ("is_retweet", "Retweet"), ("is_top_level", "TopLevel")):
        columns[name] = tweets.equals("tweet_type", kind)
    if schema.SPLIT in tweets.names:
        columns[schema.SPLIT] = tweets.whole(schema.SPLIT)
    times = {target: schema.engagement_timestamp(target) for target in schema.TARGETS}
    return columns | {target: tweets.known(name) for target, name in times.items() if name in tweets.names}


def _of_user(
    tweets: Tweets, user: str, written: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
) -> dict[str, Column]:
    creation = f"{user}_account_creation"
    age = np.floor((written.astype(np.float64) - tweets.numbers(creation).astype(np.float64)) / DAY_SECONDS)
    return {
        f"{user}_follower_count": tweets.numbers(f"{user}_follower_count"),
        f"{user}_following_count": tweets.numbers(f"{user}_following_count"),
        f"{user}_account_age_days": np.where(known & tweets.known(creation), age, 0).astype(np.int64),
        f"{user}_is_verified": tweets.flags(f"{user}_is_verified"),
    }
