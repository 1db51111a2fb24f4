"""Families of features in explanations: every input of the models belongs to one.

A family of counters is one key in one window: its engagements, its exposures, and the rates and shares of the two. A
family of effects is the part of the mixed model for some of its keys. The other families are of the row itself: author,
viewer, content and time of the tweet. The pretrained network's logits, which the trees read, belong to no family: they
are attributed to the inputs of that network, as the effects' logits are to families of effects. What belongs here: the
family of each input, and the columns of a feature row behind it. What does not: how much it moved a logit (row), or the
words for it (submission.explanation.as_text).
"""

from dataclasses import dataclass

from engage_pipeline import schema
from engage_pipeline.model.network.vocabulary import PEOPLE
from engage_pipeline.model.trees.inputs import DAY_OF_MONTH, HOUR, LANGUAGE, RATES, RATIOS, further_rates
from engage_pipeline.settings.families import (
    COUNTER_FAMILIES,
    EFFECT_FAMILIES,
    KEYS,
    SCORED_FILE,
    SCORED_FILE_TITLE,
    TRAINING,
    VALIDATION,
    WINDOWS,
)


@dataclass(frozen=True)
class ExplainedFamily:
    """A family of features: its name, its title for people, and for counters their key and window."""

    name: str
    title: str
    key: str | None = None
    window: str | None = None

    @property
    def full_title(self) -> str:
        """The title, with the window if there is one."""
        return self.title if self.window is None else f"{self.title} ({self.window} window)"


@dataclass(frozen=True)
class Feature:
    """A number or word that a model reads: its family, and the columns of schema.feature_schema behind it."""

    family: str
    columns: tuple[str, ...]


_OWN_FAMILIES = (
    ExplainedFamily("author_profile", "author profile"),
    ExplainedFamily("viewer_profile", "viewer profile"),
    ExplainedFamily("viewer_embedding", "what the network learned of this viewer"),
    ExplainedFamily("author_embedding", "what the network learned of this author"),
    ExplainedFamily("profiles_compared", "author and viewer compared"),
    ExplainedFamily("follows", "author and viewer connected"),
    ExplainedFamily("tweet_content", "tweet content"),
    ExplainedFamily("text", "text of the tweet"),
    ExplainedFamily("language", "language of the tweet"),
    ExplainedFamily("time", "time of the tweet"),
    ExplainedFamily(SCORED_FILE, SCORED_FILE_TITLE),
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
    "viewer_embedding": ("engaging_user_id",),
    "author_embedding": ("engaged_with_user_id",),
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
    "text": ("n_tokens", schema.TEXT_TOKENS),
    "language": (LANGUAGE,),
    "time": (HOUR, DAY_OF_MONTH),
    SCORED_FILE: schema.SCORED_FILE_FEATURES,
}
EFFECT_FEATURES = tuple(f"{family}_logit" for family in EFFECT_FAMILIES)
"""What each family of effects adds to the log-odds, in the order of EFFECT_FAMILIES."""
_EFFECT_COLUMNS = {
    "people_effects": (
        *("engaging_user_id", "engaged_with_user_id", "tweet_timestamp"),
        *(name for name in (*schema.PROFILE_NUMBERS, *schema.BINARY_FEATURES) if name.startswith("engag")),
    ),
    "pair_effects": ("engaging_user_id", "engaged_with_user_id"),
    "tweet_effects": ("tweet_id",),
    "habit_effects": (
        *("engaging_user_id", "is_quote", "is_retweet", "is_top_level", "language", "hour", "tweet_timestamp"),
    ),
    "topic_effects": ("engaging_user_id", *schema.TOKEN_COLUMNS, "language", "tweet_timestamp"),
    "community_effects": ("engaging_user_id", "engaged_with_user_id"),
    "context_effects": (
        "first_hashtag",
        "tweet_timestamp",
        *schema.TOKEN_COLUMNS,
        "n_hashtags",
        "has_link",
        "has_gif",
        "has_photo",
        "has_video",
        "language",
        "hour",
        "engagee_follows_engager",
    ),
    "text_effects": schema.TOKEN_COLUMNS,
    "censoring_effects": ("tweet_timestamp",),
}
_SHARES = {
    "pair_share_of_author": "training_pair",
    "pair_share_of_viewer": "training_pair",
    "valid_pair_share_of_viewer": "validation_pair",
}
"""The family of each ratio of the exposures of two keys."""


def counter_family(counter: str) -> str:
    """Returns the family of a counter `<window prefix><key>_<outcome>` of schema.py."""
    window = VALIDATION if counter.startswith(schema.VALIDATION_PREFIX) else TRAINING
    name = counter.removeprefix(schema.VALIDATION_PREFIX)
    # Longest key first: `viewer_as_author_like` is not a counter of the key `viewer`.
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
    for name, family in zip(EFFECT_FEATURES, EFFECT_FAMILIES, strict=True):
        features[name] = Feature(family, _EFFECT_COLUMNS[family])
    for name in (*schema.PROFILE_NUMBERS, *schema.BINARY_FEATURES, HOUR, DAY_OF_MONTH, LANGUAGE, *PEOPLE):
        features[name] = Feature(own[name], (name,))
    features[schema.TEXT_TOKENS] = Feature("text", schema.TOKEN_COLUMNS)
    further = schema.further_counters(COUNTER_FAMILIES)
    for name in schema.further_features(further):
        features[name] = Feature(counter_family(name), (name,))
    for name, (counter, exposures, _) in further_rates(further).items():
        features[name] = Feature(counter_family(counter), (counter, exposures))
    for name in schema.SCORED_FILE_FEATURES:
        features[name] = Feature(own[name], (name,))
    return features


FAMILIES: dict[str, ExplainedFamily] = _families()
"""Every family by name: counters of the training window, of the validation window, effects, the row itself."""
FEATURES: dict[str, Feature] = _features()
"""Every feature by its name in the trees; the network's input columns belong to the same names."""
FEATURE_NAMES = tuple(FEATURES)
"""The order of the features in arrays of contributions."""
