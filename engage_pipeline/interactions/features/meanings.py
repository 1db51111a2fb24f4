"""The meaning of every column of a table of features, in words for people, derived from its structured name.

    meanings("interaction_features")["pair_like"]
    # "this viewer with this author: liked; rows of the training window, but for the row's own day"

What does not belong here: the columns that a column is made of (orchestration.assets.lineage).
"""

from collections.abc import Iterator, Mapping

from engage_pipeline import schema
from engage_pipeline.settings.families import (
    COUNTER_FAMILIES,
    FAMILY_OF_KEY,
    REVERSED,
    SIMILAR,
    TRAINING,
    VALIDATION,
    Key,
    counted_keys,
)

COUNTED = {
    "like": "liked",
    "reply": "replied to",
    "retweet": "retweeted",
    "retweet_with_comment": "quoted",
    "negative": "no engagement at all",
    "exposures": "shown, with an engagement or not",
}
"""What is counted of a key."""
_SCOPES = {
    "interaction_features": (
        "rows of the training window, but for the row's own day",
        "all fine-tuning rows of the validation window",
    ),
    "validation_features": (
        "rows of the training window",
        "fine-tuning rows of the validation window, but for the row's own chunk",
    ),
    "test_features": ("rows of the training window", "every labelled row of the validation window"),
}
"""The rows that are counted, of the training and of the validation window, by table."""
_OWN: dict[str, str] = {
    **{column.name: column.description for column in schema.COLUMNS},
    schema.LINE_NUMBER: "0-based line of the row in its raw part",
    schema.ENGAGEMENT_DAY: "days since 1970-01-01 of the latest engagement, else of the tweet",
    schema.SPLIT: "chunk of a fine-tuning row; -1 where the row is held out",
    "n_hashtags": "number of hashtags of the tweet",
    "n_tokens": "number of tokens of the tweet's text",
    "engaging_user_account_age_days": "days from the creation of the viewer's account to the tweet; 0 if unknown",
    "engaged_with_user_account_age_days": "days from the creation of the author's account to the tweet; 0 if unknown",
    "has_hashtag": "does the tweet have a hashtag",
    "has_gif": "does the tweet have a GIF",
    "has_photo": "does the tweet have a photo",
    "has_video": "does the tweet have a video",
    "has_link": "does the tweet have a link",
    "has_domain": "does the tweet link to a domain",
    "is_quote": "is the tweet a quote",
    "is_retweet": "is the tweet a retweet",
    "is_top_level": "is the tweet neither a quote nor a retweet nor a reply",
    "hour": "hour of the tweet, 0 to 23, UTC",
    "day_of_month": "day of the month of the tweet, 0 to 30, UTC",
    "first_hashtag": "the tweet's first hashtag, hashed",
    "like": "label: the viewer liked the tweet",
    "reply": "label: the viewer replied to the tweet",
    "retweet": "label: the viewer retweeted the tweet",
    "retweet_with_comment": "label: the viewer quoted the tweet",
}
"""The meaning of a column of the row itself."""


def meanings(table: str) -> dict[str, str]:
    """Returns the meaning of each column of the asset `table`, one of the tables of features, with every family on."""
    columns = schema.feature_schema(
        labelled=table != "test_features", validation=table == "validation_features", families=COUNTER_FAMILIES
    )
    known: Mapping[str, str] = _OWN | dict(_counters(table))
    return {name: known[name] for name in columns.names}


def _counters(table: str) -> Iterator[tuple[str, str]]:
    """Yields column and meaning of every count of every key, also of counts that have no column."""
    training, validation = _SCOPES[table]
    for key in counted_keys(TRAINING, COUNTER_FAMILIES):
        yield from _counts(key, "", training)
    for key in (*counted_keys(VALIDATION, COUNTER_FAMILIES), *REVERSED):
        yield from _counts(key, schema.VALIDATION_PREFIX, validation)
    yield from _counts(SIMILAR, "", f"each weighted by its similarity; {training}")
    yield schema.SIMILARITY_FEATURES[-1], "sum of the Jaccard similarities of the similar authors"


def _counts(key: Key, prefix: str, scope: str) -> Iterator[tuple[str, str]]:
    family = FAMILY_OF_KEY[key.name]
    scope += "" if family.default else f"; only with the family {family.name}"
    for count, words in COUNTED.items():
        yield f"{prefix}{key.name}_{count}", f"{key.title}: {words}; {scope}"
