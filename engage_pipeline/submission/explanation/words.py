"""Words for the values behind a family of features: `liked 45 of 60 shown`, `photo, link, 2 hashtags`."""

from collections.abc import Callable, Mapping
from typing import Any

from engage_pipeline import schema
from engage_pipeline.model.explanation.families import ExplainedFamily
from engage_pipeline.settings.families import EFFECT_FAMILIES, SCORED_FILE, SIMILAR, VALIDATION

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
_LETTERS = 8
"""Number of characters shown of a hashed language."""

Features = Mapping[str, Any]


def describe(family: ExplainedFamily, engagement: str, features: Features) -> str:
    """Describes a family for `engagement`; `features` are the columns of schema.feature_schema of one row."""
    if family.name in EFFECT_FAMILIES:
        return EFFECT_FAMILIES[family.name]
    if family.key is None:
        return _OWN[family.name](features)
    prefix = counter_prefix(family)
    if family.key == "hashtag" and not features["n_hashtags"]:
        return "it has none"
    if family.key == SIMILAR.name:
        if not features["similar_jaccard_sum"]:
            return "engaged with none"
        return f"{_DONE[engagement]} {features[f'{prefix}{engagement}']:.2f}, weighted by similarity"
    shown = features[f"{prefix}exposures"]
    return f"{_DONE[engagement]} {features[f'{prefix}{engagement}']:,} of {shown:,} shown" if shown else "never shown"


def counter_prefix(family: ExplainedFamily) -> str:
    """Returns the beginning of the names of a family's counters in schema.py."""
    return f"{schema.VALIDATION_PREFIX if family.window == VALIDATION else ''}{family.key}_"


def content(features: Features) -> str:
    """Describes type, media, links and hashtags of the tweet."""
    words = [word for name, word in _CONTENT.items() if features[name]]
    hashtags = [_many(features["n_hashtags"], "hashtag")] if features["n_hashtags"] else []
    return ", ".join([*words, *hashtags]) or "no known type, no media, no links, no hashtags"


def author(features: Features) -> str:
    """Describes followers, followed users and age of the author's account."""
    return _profile(features, "engaged_with_user")


def viewer(features: Features) -> str:
    """Describes followers, followed users and age of the viewer's account."""
    return _profile(features, "engaging_user")


def _profile(features: Features, role: str) -> str:
    words = [
        _many(features[f"{role}_follower_count"], "follower"),
        f"follows {features[f'{role}_following_count']:,}",
        f"account of {_many(features[f'{role}_account_age_days'], 'day')}",
    ]
    return ", ".join([*words, *(["verified"] if features[f"{role}_is_verified"] else [])])


def _compared(features: Features) -> str:
    followers = (features[f"{role}_follower_count"] for role in ("engaged_with_user", "engaging_user"))
    return "{:,} and {:,} followers".format(*followers)


def _follows(features: Features) -> str:
    return f"{_FOLLOWS} is {'true' if features[_FOLLOWS] else 'false'}"


def _language(features: Features) -> str:
    return (features["language"] or "missing")[:_LETTERS]


def _time(features: Features) -> str:
    return f"{features['hour']}:00 to {features['hour']}:59 UTC, day {features['day_of_month'] + 1} of the month"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


_OWN: dict[str, Callable[[Features], str]] = {
    "author_profile": author,
    "viewer_profile": viewer,
    "viewer_embedding": lambda features: _many(features["viewer_exposures"], "training row"),
    "author_embedding": lambda features: _many(features["author_exposures"], "training row"),
    "profiles_compared": _compared,
    "follows": _follows,
    "tweet_content": content,
    "text": lambda features: _many(features["n_tokens"], "token"),
    "language": _language,
    "time": _time,
    SCORED_FILE: lambda _: "missing, since the row is explained alone",
}
