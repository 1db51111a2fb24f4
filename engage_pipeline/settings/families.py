"""The feature families that `features.families` switches on and off, each declared in one record.

A family of counters is a `Family`: all code that names, counts, looks up, titles or explains its counters reads the
record. The reference's families are always counted; if they are off, their features are 0. A further family is one that
the reference does not have. If it is off, it has no files and no columns; the network of the `synerise` preset never
reads it.

A family of effects is a group of effects of the mixed model (model/effects/effects.py); they are fitted only if it is
on. `scored_file` is neither: its counts are of the file that is scored (interactions/features/scored_file.py).

What does not belong here: how rows are counted or effects fitted.
"""

from collections.abc import Collection
from dataclasses import dataclass

TRAINING, VALIDATION = "training", "validation"
WINDOWS = (TRAINING, VALIDATION)
AUTHOR, VIEWER = "engaged_with_user_id", "engaging_user_id"
LISTS = ("hashtags", "present_media", "present_links", "present_domains")
"""The raw columns that are lists of texts."""


@dataclass(frozen=True)
class Key:
    """A key that rows are grouped by when counting, such as viewer and language.

    `name` is part of the names of columns, `<window prefix><name>_like`, and of files of counts; `title` is its name in
    an explanation. `column` is the raw column that the key is read from, `viewer` that of its second part, None if it
    has one part. `few`: `column` has few distinct values in all, fewer than 65,536. `counts` names the key whose counts
    are looked up, None = its own. `several`: a row has several values, whose counts are added.
    """

    name: str
    title: str
    column: str
    viewer: str | None = None
    few: bool = False
    counts: str | None = None
    several: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a key that can't be counted."""
        if self.viewer is None and (self.few or self.several):
            raise ValueError(f"{self.name}: a key without `viewer` is neither `few` nor `several`")
        if self.few and self.several:
            raise ValueError(f"{self.name}: a key is not both `few` and `several`")
        if self.several != (self.column in LISTS):
            raise ValueError(f"{self.name}: a key is `several` if its column is one of {', '.join(LISTS)}, else not")

    @property
    def counted(self) -> str:
        """The name of the key whose counts are looked up."""
        return self.counts or self.name


@dataclass(frozen=True)
class Family:
    """A family of counters: its name in `features.families`, its keys, and the windows that they are counted in.

    `default`: whether the `default` preset has it on.
    """

    name: str
    description: str
    keys: tuple[Key, ...]
    windows: tuple[str, ...] = WINDOWS
    default: bool = True


REFERENCE_FAMILIES = (
    Family(
        "pair_counters",
        "engagements of this viewer with this author",
        (Key("pair", "this viewer with this author", AUTHOR, VIEWER),),
    ),
    Family("author_counters", "engagements with the author", (Key("author", "the author with all viewers", AUTHOR),)),
    Family("viewer_counters", "engagements of the viewer", (Key("viewer", "the viewer's own history", VIEWER),)),
    Family(
        "language_counters",
        "engagements of the viewer in the language",
        (Key("language", "the viewer in this language", "language", VIEWER, few=True),),
    ),
    Family(
        "hashtag_counters",
        "engagements of the viewer with the hashtags",
        (Key("hashtag", "the viewer with these hashtags", "hashtags", VIEWER, several=True),),
    ),
    Family(
        "tweet_counters",
        "engagements of others with the tweet",
        (Key("tweet", "this tweet with other viewers", "tweet_id"),),
        windows=(VALIDATION,),
    ),
    Family(
        "similar_authors",
        "engagements of the viewer with similar authors",
        (Key("similar", "the viewer with similar authors", AUTHOR, VIEWER, counts="pair"),),
        windows=(TRAINING,),
    ),
    Family(
        "reversed_roles",
        "author and viewer with their roles changed",
        (
            Key("reverse_pair", "the author with the viewer's tweets", VIEWER, AUTHOR, counts="pair"),
            Key("viewer_as_author", "the viewer's tweets with all viewers", VIEWER, counts="author"),
            Key("author_as_viewer", "the author's own history", AUTHOR, counts="viewer"),
        ),
        windows=(VALIDATION,),
    ),
)
"""The families of the 73 numbers, which the network of the `synerise` preset reads: a closed list, in their order."""
FURTHER_FAMILIES = (
    Family(
        "type_counters",
        "engagements of the viewer with the type of tweet",
        (Key("type", "the viewer with this type of tweet", "tweet_type", VIEWER, few=True),),
        default=False,
    ),
)
"""Families beyond the reference; trees and the smoothed rates of the network read those that are on."""

COUNTER_FAMILIES = {family.name: family for family in (*REFERENCE_FAMILIES, *FURTHER_FAMILIES)}
FAMILY_OF_KEY = {key.name: family for family in COUNTER_FAMILIES.values() for key in family.keys}
KEYS = {key.name: key for family in COUNTER_FAMILIES.values() for key in family.keys}
SIMILAR = KEYS["similar"]
"""The key of authors similar to the row's author: the viewer's pairs with these are added up, by score."""
REVERSED = COUNTER_FAMILIES["reversed_roles"].keys
"""Keys that are looked up with author and viewer swapped."""


def counted_keys(window: str, families: Collection[str]) -> tuple[Key, ...]:
    """Returns the keys that the rows of a window are counted by: the reference's, and those of further `families`."""
    return _own_keys(window, REFERENCE_FAMILIES) + further_keys(window, families)


def further_keys(window: str, families: Collection[str]) -> tuple[Key, ...]:
    """Returns the keys of a window that belong to `families` beyond the reference."""
    return _own_keys(window, [family for family in FURTHER_FAMILIES if family.name in families])


def _own_keys(window: str, families: Collection[Family]) -> tuple[Key, ...]:
    chosen = [family for family in families if window in family.windows]
    return tuple(key for family in chosen for key in family.keys if key.counts is None)


EFFECT_FAMILIES = {
    "people_effects": "how much the viewer engages, how much the author is engaged with",
    "pair_effects": "what lies between this viewer and this author alone",
    "tweet_effects": "how much the tweet is engaged with",
    "habit_effects": "what the viewer does with this type of tweet, in this language, at this hour",
    "topic_effects": "what the viewer and the viewer's community do with the topic",
    "community_effects": "what the communities of viewer and author do with each other",
    "context_effects": "hashtag, type, media, links, language, hour, whether the viewer follows the author",
    "text_effects": "whom the text names, and its first word",
    "censoring_effects": "how much time is left to the end of the window",
}
TOPIC_READERS = ("topic_effects",)
COMMUNITY_READERS = ("topic_effects", "community_effects")
"""The families that read topics, and communities; if none of them is on, these are not computed."""
SCORED_FILE = "scored_file"
SCORED_FILE_TITLE = "counts inside the scored file"
"""The family of counts over the rows of the file that is scored, without labels. Off unless it is named."""
FAMILY_NAMES = (*COUNTER_FAMILIES, *EFFECT_FAMILIES, SCORED_FILE)
DEFAULT_FAMILIES = (*(name for name, family in COUNTER_FAMILIES.items() if family.default), *EFFECT_FAMILIES)
"""The families that are on unless `features.families` says otherwise."""
