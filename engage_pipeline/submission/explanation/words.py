"""Words for the values behind a family of features: `liked 45 of 60 shown`, `photo, link, 2 hashtags`."""

from collections.abc import Callable, Mapping
from typing import Any

from engage_pipeline import schema
from engage_pipeline.model.explanation.families import ExplainedFamily
from engage_pipeline.plurals import counted
from engage_pipeline.settings.families import AUTHOR, EFFECT_FAMILIES, KEYS, SCORED_FILE, SIMILAR, VALIDATION, VIEWER

_DONE = {"like": "liked", "retweet": "retweeted", "retweet_with_comment": "quoted", "reply": "replied to"}
_CONTENT = {
    "is_top_level": "top level",
    "is_retweet": "retweet",
    "is_quote": "quote",
    "has_photo": "photo",
    "has_video": "video",
    "has_gif": "GIF",
    "has_link": "link",
    "has_domain": "domain",
}
_FOLLOWS = "engagee_follows_engager"
_TYPE = "is_top_level"
MISSING = "missing"
_READ = {
    **{name: (name,) for name in (*schema.PROFILE_NUMBERS, *schema.BINARY_FEATURES) if name in schema.COLUMN_NAMES},
    **{
        f"{user}_account_age_days": (schema.TWEET_TIMESTAMP, f"{user}_account_creation")
        for user in ("engaged_with_user", "engaging_user")
    },
    **dict.fromkeys((_TYPE, "is_retweet", "is_quote"), ("tweet_type",)),
    **dict.fromkeys(("hour", "day_of_month"), (schema.TWEET_TIMESTAMP,)),
}
"""The raw columns of which a feature is made that is 0 or false where one is missing."""
_COLUMNS_OF = {name: [column for column in (key.column, key.viewer) if column] for name, key in KEYS.items()}
"""The raw columns of a key of counters."""
_LETTERS = 8
"""Number of characters shown of a hashed language."""

Features = Mapping[str, Any]


def with_missing(features: Features, tweet: Features) -> Features:
    """Returns the features of a row with None for each of which the raw value in `tweet` is missing.

    To the models these are 0 or false. The columns of `tweet` that are missing are there too, as None.
    """
    missing = {name for name, value in tweet.items() if value is None}
    return {
        **features,
        **{name: None for name, read in _READ.items() if missing.intersection(read)},
        **dict.fromkeys(missing),
    }


def describe(family: ExplainedFamily, engagement: str, features: Features) -> str:
    """Describes a family for `engagement`; `features` are the columns of schema.feature_schema of one row, None where
    the raw value is missing (with_missing)."""
    if family.name in EFFECT_FAMILIES:
        return EFFECT_FAMILIES[family.name]
    if family.key is None:
        return _OWN[family.name](features)
    return absent(family, features) or _counted(family, engagement, features)


def _counted(family: ExplainedFamily, engagement: str, features: Features) -> str:
    prefix = counter_prefix(family)
    if family.key == "hashtag" and not features["n_hashtags"]:
        return "it has none"
    if family.key == SIMILAR.name:
        if not features["similar_jaccard_sum"]:
            return "engaged with none"
        return f"{_DONE[engagement]} {features[f'{prefix}{engagement}']:.2f}, weighted by similarity"
    shown = features[f"{prefix}exposures"]
    return f"{_DONE[engagement]} {features[f'{prefix}{engagement}']:,} of {shown:,} shown" if shown else "never shown"


def absent(family: ExplainedFamily, features: Features) -> str | None:
    """Names the raw columns of a family's key that are missing, so that nothing was counted; None if none is."""
    lacking = [name for name in _COLUMNS_OF.get(family.key or "", []) if features.get(name, "") is None]
    return f"{' and '.join(lacking)} {MISSING}" if lacking else None


def counter_prefix(family: ExplainedFamily) -> str:
    """Returns the beginning of the names of a family's counters in schema.py."""
    return f"{schema.VALIDATION_PREFIX if family.window == VALIDATION else ''}{family.key}_"


def content(features: Features) -> str:
    """Describes type, media, links and hashtags of the tweet."""
    words = [word for name, word in _CONTENT.items() if features[name]]
    if features[_TYPE] is None:
        words.insert(0, f"type {MISSING}")
    hashtags = [_many(features["n_hashtags"], "hashtag")] if features["n_hashtags"] else []
    return ", ".join([*words, *hashtags]) or "no known type, no media, no links, no hashtags"


def author(features: Features) -> str:
    """Describes followers, followed users and age of the author's account."""
    return _profile(features, "engaged_with_user")


def viewer(features: Features) -> str:
    """Describes followers, followed users and age of the viewer's account."""
    return _profile(features, "engaging_user")


def _profile(features: Features, role: str) -> str:
    followers, following, days, verified = (
        features[f"{role}_{name}"] for name in ("follower_count", "following_count", "account_age_days", "is_verified")
    )
    words = [
        _many(followers, "follower"),
        f"follows {_number(following)}",
        f"age of the account {MISSING}" if days is None else f"account of {_many(days, 'day')}",
        f"verification {MISSING}" if verified is None else "verified" if verified else "",
    ]
    return ", ".join(filter(None, words))


def _compared(features: Features) -> str:
    followers = (features[f"{role}_follower_count"] for role in ("engaged_with_user", "engaging_user"))
    return "{} and {} followers".format(*map(_number, followers))


def _follows(features: Features) -> str:
    follows = features[_FOLLOWS]
    return f"{_FOLLOWS} is {MISSING if follows is None else 'true' if follows else 'false'}"


def _language(features: Features) -> str:
    return (features["language"] or MISSING)[:_LETTERS]


def _time(features: Features) -> str:
    if features["hour"] is None:
        return MISSING
    return f"{features['hour']}:00 to {features['hour']}:59 UTC, day {features['day_of_month'] + 1} of the month"


def _embedding(features: Features, column: str, exposures: str) -> str:
    return f"{column} {MISSING}" if features.get(column, "") is None else _many(features[exposures], "training row")


def _many(count: int | None, noun: str) -> str:
    return f"{noun}s {MISSING}" if count is None else counted(count, noun)


def _number(count: int | None) -> str:
    return MISSING if count is None else f"{count:,}"


_OWN: dict[str, Callable[[Features], str]] = {
    "author_profile": author,
    "viewer_profile": viewer,
    "viewer_embedding": lambda features: _embedding(features, VIEWER, "viewer_exposures"),
    "author_embedding": lambda features: _embedding(features, AUTHOR, "author_exposures"),
    "profiles_compared": _compared,
    "follows": _follows,
    "tweet_content": content,
    "text": lambda features: _many(features["n_tokens"], "token"),
    "language": _language,
    "time": _time,
    SCORED_FILE: lambda _: "missing, since the row is explained alone",
}
