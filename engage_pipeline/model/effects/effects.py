"""The list of effects: name, family, the fields of a row that make the key, and the initial deviation.

A deviation is the prior standard deviation of an effect in log-odds; this is its value before it is learned (priors).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from engage_pipeline.model.effects.fields import EffectRows
from engage_pipeline.numerics.fingerprints import combined
from engage_pipeline.settings.families import EFFECT_FAMILIES


@dataclass(frozen=True)
class Effect:
    """An effect: rows with equal `fields` share one number for each outcome."""

    name: str
    family: str
    fields: tuple[str, ...]
    deviation: float

    @property
    def local(self) -> bool:
        """Whether each of its keys belongs to one viewer."""
        return "viewer" in self.fields

    def keys(self, rows: EffectRows) -> np.ndarray:
        """Returns the key of each row, int64 [n]; NO_FINGERPRINT if one of its fields is that."""
        return combined(*(getattr(rows, field) for field in self.fields))


EFFECTS: tuple[Effect, ...] = (
    Effect("viewer", "people_effects", ("viewer",), 1.2),
    Effect("author", "people_effects", ("author",), 0.6),
    Effect("pair", "pair_effects", ("viewer", "author"), 0.8),
    Effect("tweet", "tweet_effects", ("tweet",), 0.45),
    Effect("viewer_type", "habit_effects", ("viewer", "tweet_type"), 0.4),
    Effect("viewer_language", "habit_effects", ("viewer", "language"), 0.2),
    Effect("viewer_hours", "habit_effects", ("viewer", "hours"), 0.2),
    Effect("topic", "topic_effects", ("topic",), 0.3),
    Effect("viewer_topic", "topic_effects", ("viewer", "topic"), 0.4),
    Effect("community_topic", "topic_effects", ("viewer_community", "topic"), 0.3),
    Effect("communities", "community_effects", ("viewer_community", "author_community"), 0.4),
    Effect("community_author", "community_effects", ("viewer_community", "author"), 0.3),
    Effect("viewer_community", "community_effects", ("viewer", "author_community"), 0.3),
    Effect("hashtag", "context_effects", ("hashtag",), 0.2),
    Effect("type_media", "context_effects", ("tweet_type", "media"), 0.2),
    Effect("language", "context_effects", ("language",), 0.1),
    Effect("language_hour", "context_effects", ("language", "hour"), 0.1),
    Effect("follows", "context_effects", ("follows",), 0.3),
    Effect("tags_links", "context_effects", ("n_hashtags", "has_link"), 0.2),
    Effect("time_left", "censoring_effects", ("time_left",), 0.3),
)


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
