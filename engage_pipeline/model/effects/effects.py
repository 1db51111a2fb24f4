"""The list of effects: name, family, the fields of a row that make the key, and the initial deviation.

A deviation is the prior standard deviation of an effect in log-odds; this is its value before the covariance is
learned (covariances).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.numerics.fingerprints import combined
from engage_pipeline.settings.families import EFFECT_FAMILIES


@dataclass(frozen=True)
class Effect:
    """An effect: rows with equal `fields` share a number for each engagement.

    With a `slope`, the name of a field of EffectRows, it counts times that field over SLOPE_HOURS. `parents` are
    effects whose keys each hold whole keys of this one, as far as the data say so.
    """

    name: str
    family: str
    fields: tuple[str, ...]
    deviation: float
    parents: tuple[str, ...] = ()
    slope: str | None = None

    @property
    def local(self) -> bool:
        """Whether each of its keys belongs to one viewer."""
        return "viewer" in self.fields

    def keys(self, rows: EffectRows) -> np.ndarray:
        """Returns the key of each row, int64 [n]; NO_FINGERPRINT if one of its fields is that."""
        return combined(*(getattr(rows, field) for field in self.fields))

    def slopes(self, rows: EffectRows) -> np.ndarray:
        """Returns what the effect counts times in each row, float32 [n]."""
        if self.slope is None:
            return np.ones(len(rows), np.float32)
        return np.asarray(getattr(rows, self.slope) / SLOPE_HOURS, np.float32)


SLOPE_HOURS = 168.0
"""A slope is for so many hours."""
EFFECTS: tuple[Effect, ...] = (
    Effect("viewer_following", "people_effects", ("viewer_following",), 0.2),
    Effect("viewer_followers", "people_effects", ("viewer_followers", "viewer_verified"), 0.2),
    Effect("viewer_age", "people_effects", ("viewer_age",), 0.2),
    Effect("author_following", "people_effects", ("author_following",), 0.2),
    Effect("author_followers", "people_effects", ("author_followers", "author_verified"), 0.2),
    Effect("author_age", "people_effects", ("author_age",), 0.2),
    Effect("type_media", "context_effects", ("tweet_type", "media"), 0.2),
    Effect("language", "context_effects", ("language",), 0.2),
    Effect("language_hour", "context_effects", ("language", "hour"), 0.1),
    Effect("follows", "context_effects", ("follows",), 0.3),
    Effect("tags_links", "context_effects", ("n_hashtags", "has_link"), 0.2),
    Effect("length", "context_effects", ("length",), 0.1),
    Effect("time_left", "censoring_effects", ("time_left",), 0.3),
    Effect("day", "context_effects", ("day",), 0.1),
    Effect("hashtag", "context_effects", ("hashtag",), 0.2),
    Effect("named", "text_effects", ("named",), 0.3),
    Effect("first_word", "text_effects", ("first_word",), 0.2),
    Effect("topic", "topic_effects", ("topic",), 0.3, ("language",)),
    Effect("topic_day", "topic_effects", ("topic", "day"), 0.2, ("topic", "day")),
    Effect("author", "people_effects", ("author",), 0.6, ("author_following", "author_followers", "author_age")),
    Effect("author_day", "people_effects", ("author", "day"), 0.2, ("author", "day")),
    Effect("communities", "community_effects", ("viewer_community", "author_community"), 0.3),
    Effect("community_author", "community_effects", ("viewer_community", "author"), 0.3, ("author", "communities")),
    Effect("community_topic", "topic_effects", ("viewer_community", "topic"), 0.3, ("topic",)),
    Effect("tweet", "tweet_effects", ("tweet",), 0.5, ("author", "topic", "type_media", "tags_links", "length")),
    Effect("viewer", "people_effects", ("viewer",), 1.0, ("viewer_following", "viewer_followers", "viewer_age")),
    Effect("pair", "pair_effects", ("viewer", "author"), 0.6, ("viewer", "author", "follows", "community_author")),
    Effect("viewer_type", "habit_effects", ("viewer", "tweet_type"), 0.3, ("viewer",)),
    Effect("viewer_language", "habit_effects", ("viewer", "language"), 0.3, ("viewer", "language")),
    Effect("viewer_hours", "habit_effects", ("viewer", "hours"), 0.2, ("viewer",)),
    Effect("viewer_topic", "topic_effects", ("viewer", "topic"), 0.3, ("viewer", "topic", "community_topic")),
    Effect("viewer_community", "community_effects", ("viewer", "author_community"), 0.3, ("viewer", "communities")),
    Effect("viewer_day", "habit_effects", ("viewer", "day"), 0.3, ("viewer", "day")),
    Effect("viewer_trend", "habit_effects", ("viewer",), 0.2, (), "age"),
)
"""In the order of a sweep. Those of the same FEW_TOGETHER are neighbours, so that they share cells (numbering)."""


def keys_of(effects: Sequence[Effect], rows: EffectRows) -> np.ndarray:
    """Returns `Effect.keys` of several effects, int64 [effects, n], in few calls, which dominate with few rows."""
    keys = np.empty((len(effects), len(rows)), np.int64)
    for size in {len(effect.fields) for effect in effects}:
        places = [place for place, effect in enumerate(effects) if len(effect.fields) == size]
        fields = zip(*(effects[place].fields for place in places), strict=True)
        keys[places] = combined(*(np.stack([getattr(rows, name) for name in names]) for names in fields))
    return keys


def effects_of(families: Collection[str]) -> tuple[Effect, ...]:
    """Returns the effects of `families`, in the order of EFFECTS."""
    return tuple(effect for effect in EFFECTS if effect.family in families)


def families_of(effects: Collection[Effect]) -> tuple[str, ...]:
    """Returns the families of `effects`, in the order of EFFECT_FAMILIES."""
    present = {effect.family for effect in effects}
    return tuple(name for name in EFFECT_FAMILIES if name in present)
