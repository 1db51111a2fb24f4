"""Feature families: every input of the models belongs to one, and an explanation speaks of families.

A family of counters is one key in one window: its engagements, how often it was shown, and the rates and shares made
of the two. A family of effects is what the mixed model adds for some of its keys. The others are the row's own: who the
author and the viewer are, what the tweet holds, when it was written. The pretrained network's logits, which the trees
read, belong to none: they are attributed to what the network read, as the effects' logits are to families of effects.
What belongs here: which input is in which family, and which columns of a feature row it is made of. What does not:
how much it moved a logit (row), or the words for it (submission.explanation.as_text).
"""

from dataclasses import dataclass

from engage_pipeline import schema
from engage_pipeline.model.effects.columns import FAMILY_LOGITS
from engage_pipeline.model.trees.inputs import DAY_OF_MONTH, HOUR, LANGUAGE, RATES, RATIOS, further_rates
from engage_pipeline.settings.families import COUNTER_FAMILIES, EFFECT_FAMILIES, KEYS, TRAINING, VALIDATION, WINDOWS

TEXT_TOKENS = "text_tokens"


@dataclass(frozen=True)
class ExplainedFamily:
    """A family of features: its name, what it is in human words, and for counters their key and window."""

    name: str
    title: str
    key: str | None = None
    window: str | None = None

    @property
    def full_title(self) -> str:
        """The title, and the window where there is one."""
        return self.title if self.window is None else f"{self.title} ({self.window} window)"


@dataclass(frozen=True)
class Feature:
    """One number or word that a model reads: its family, and the columns of schema.feature_schema it is made of."""

    family: str
    columns: tuple[str, ...]


_OWN_FAMILIES = (
    ExplainedFamily("author_profile", "author profile"),
    ExplainedFamily("viewer_profile", "viewer profile"),
    ExplainedFamily("profiles_compared", "author and viewer compared"),
    ExplainedFamily("follows", "author and viewer connected"),
    ExplainedFamily("tweet_content", "tweet content"),
    ExplainedFamily("text", "text of the tweet"),
    ExplainedFamily("language", "language of the tweet"),
    ExplainedFamily("time", "time of the tweet"),
)
_OWN_FEATURES = {
    "author_profile": (
        "engaged_with_user_follower_count",
        "engaged_with_user_following_count",
        "engaged_with_user_account_age_days",
        "engaged_with_user_is_verified",
        "author_followers_per_following",
    ),
    "viewer_profile": (
        "engaging_user_follower_count",
        "engaging_user_following_count",
        "engaging_user_account_age_days",
        "engaging_user_is_verified",
        "viewer_followers_per_following",
    ),
    "profiles_compared": (
        "author_followers_per_viewer_followers",
        "author_following_per_viewer_following",
        "author_age_per_viewer_age",
    ),
    "follows": ("engagee_follows_engager",),
    "tweet_content": (
        "n_hashtags",
        *(name for name in schema.BINARY_FEATURES if name.startswith(("has_", "is_"))),
    ),
    "text": ("n_tokens", TEXT_TOKENS),
    "language": (LANGUAGE,),
    "time": (HOUR, DAY_OF_MONTH),
}
_EFFECT_COLUMNS = {
    "people_effects": ("engaging_user_id", "engaged_with_user_id"),
    "pair_effects": ("engaging_user_id", "engaged_with_user_id"),
    "tweet_effects": ("tweet_id",),
    "habit_effects": ("engaging_user_id", "is_quote", "is_retweet", "is_top_level", "language", "hour"),
    "topic_effects": ("engaging_user_id", "text_tokens", "language"),
    "community_effects": ("engaging_user_id", "engaged_with_user_id"),
    "context_effects": (
        "first_hashtag",
        "n_hashtags",
        "has_link",
        "has_gif",
        "has_photo",
        "has_video",
        "language",
        "hour",
        "engagee_follows_engager",
    ),
    "censoring_effects": ("tweet_timestamp",),
}
_SHARES = {
    "pair_share_of_author": "training_pair",
    "pair_share_of_viewer": "training_pair",
    "valid_pair_share_of_viewer": "validation_pair",
}
"""Ratios of the exposures of two keys, and the family that they tell something of."""


def counter_family(counter: str) -> str:
    """The family of a counter `<window prefix><key>_<outcome>` of schema.py."""
    window = VALIDATION if counter.startswith(schema.VALIDATION_PREFIX) else TRAINING
    name = counter.removeprefix(schema.VALIDATION_PREFIX)
    # The longest key first: `viewer_as_author_like` counts another key than `viewer_…`.
    return f"{window}_{next(key for key in sorted(KEYS, key=len, reverse=True) if name.startswith(f'{key}_'))}"


def _families() -> dict[str, ExplainedFamily]:
    counters = [
        ExplainedFamily(f"{window}_{key.name}", key.title, key.name, window)
        for window in WINDOWS
        for family in COUNTER_FAMILIES.values()
        if window in family.windows
        for key in family.keys
    ]
    effects = [ExplainedFamily(name, f"{name.removesuffix('_effects')} effects") for name in EFFECT_FAMILIES]
    return {family.name: family for family in (*counters, *effects, *_OWN_FAMILIES)}


def _features() -> dict[str, Feature]:
    own = {name: family for family, names in _OWN_FEATURES.items() for name in names}
    features = {
        name: Feature(counter_family(name), (name,))
        for name in (*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES)
    }
    for name, (counter, exposures, _) in RATES.items():
        features[name] = Feature(counter_family(counter), (counter, exposures))
    for name, columns in RATIOS.items():
        features[name] = Feature(_SHARES.get(name) or own[name], columns)
    for name, family in zip(FAMILY_LOGITS, EFFECT_FAMILIES, strict=True):
        features[name] = Feature(family, _EFFECT_COLUMNS[family])
    for name in (*schema.PROFILE_NUMBERS, *schema.BINARY_FEATURES, HOUR, DAY_OF_MONTH, LANGUAGE, TEXT_TOKENS):
        features[name] = Feature(own[name], (name,))
    further = schema.further_counters(COUNTER_FAMILIES)
    for name in schema.further_features(further):
        features[name] = Feature(counter_family(name), (name,))
    for name, (counter, exposures, _) in further_rates(further).items():
        features[name] = Feature(counter_family(counter), (counter, exposures))
    return features


FAMILIES: dict[str, ExplainedFamily] = _families()
"""Every family by name: the counters of the training window, those of the validation window, the effects, the row's
own."""
FEATURES: dict[str, Feature] = _features()
"""Every feature by name, as the trees call it; the network's input columns are counted under the same names."""
FEATURE_NAMES = tuple(FEATURES)
"""The order of the features in arrays of contributions."""
