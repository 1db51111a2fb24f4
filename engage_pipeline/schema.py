"""The challenge's 24 columns, its four engagements, and every column name derived from them.

All code that names a column takes the name from here. What belongs here: names, types and orders.
What does not: how a value is read (ingest), counted (interactions) or passed to a model (model).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from engage_pipeline.settings.families import (
    COUNTER_FAMILIES,
    REVERSED,
    TRAINING,
    VALIDATION,
    WINDOWS,
    counted_keys,
    further_keys,
)


class Kind(StrEnum):
    """How the text of a column is read."""

    TOKENS = "tokens"
    STRINGS = "strings"
    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"


ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.TOKENS: pa.binary(),
    Kind.STRINGS: pa.list_(pa.string()),
    Kind.STRING: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
}


@dataclass(frozen=True)
class Column:
    """One column of a raw part: its name in the challenge and how its text is read."""

    name: str
    kind: Kind
    description: str


FIELD_SEPARATOR = "\x01"
LIST_SEPARATOR = "\t"

UNKNOWN_TOKEN, CLS_TOKEN, SEP_TOKEN, MASK_TOKEN, PAD_TOKEN = 100, 101, 102, 103, 0
RT_TOKEN, AT_TOKEN, COLON_TOKEN = 56_898, 137, 131
"""A retweet begins with `RT @name :`."""
VOCABULARY_SIZE = 119_547
"""Number of tokens of `bert-base-multilingual-cased`; `text_tokens` are their ids."""
TEXT_TOKENS = "text_tokens"
"""In a raw part all token ids of a tweet; in tables the low 16 bits of each, little-endian (binary)."""
TEXT_TOKENS_HIGH = "text_tokens_high"
"""In tables the bits of each token id above the low 16, one byte a token (binary)."""
TOKEN_COLUMNS = (TEXT_TOKENS, TEXT_TOKENS_HIGH)
"""The token ids of a row, which numerics.token_bytes puts together."""

COLUMNS: tuple[Column, ...] = (
    Column(TEXT_TOKENS, Kind.TOKENS, "multilingual-BERT token ids, [CLS] … [SEP]"),
    Column("hashtags", Kind.STRINGS, "hashed hashtags"),
    Column("tweet_id", Kind.STRING, "hashed tweet id; a tweet recurs over many rows"),
    Column("present_media", Kind.STRINGS, "Photo, Video, GIF"),
    Column("present_links", Kind.STRINGS, "hashed links"),
    Column("present_domains", Kind.STRINGS, "hashed domains"),
    Column("tweet_type", Kind.STRING, "TopLevel, Retweet, Quote or Reply"),
    Column("language", Kind.STRING, "hashed language"),
    Column("tweet_timestamp", Kind.INTEGER, "when the tweet was written, Unix seconds UTC"),
    Column("engaged_with_user_id", Kind.STRING, "the author"),
    Column("engaged_with_user_follower_count", Kind.INTEGER, "followers of the author"),
    Column("engaged_with_user_following_count", Kind.INTEGER, "users the author follows"),
    Column("engaged_with_user_is_verified", Kind.BOOLEAN, "is the author verified"),
    Column("engaged_with_user_account_creation", Kind.INTEGER, "creation of the author's account, Unix seconds UTC"),
    Column("engaging_user_id", Kind.STRING, "the viewer"),
    Column("engaging_user_follower_count", Kind.INTEGER, "followers of the viewer"),
    Column("engaging_user_following_count", Kind.INTEGER, "users the viewer follows"),
    Column("engaging_user_is_verified", Kind.BOOLEAN, "is the viewer verified"),
    Column("engaging_user_account_creation", Kind.INTEGER, "creation of the viewer's account, Unix seconds UTC"),
    Column("engagee_follows_engager", Kind.BOOLEAN, "read as: the viewer is one of the author's followers"),
    Column("reply_timestamp", Kind.INTEGER, "when the viewer replied, Unix seconds UTC"),
    Column("retweet_timestamp", Kind.INTEGER, "when the viewer retweeted, Unix seconds UTC"),
    Column("retweet_with_comment_timestamp", Kind.INTEGER, "when the viewer quoted, Unix seconds UTC"),
    Column("like_timestamp", Kind.INTEGER, "when the viewer liked, Unix seconds UTC"),
)
COLUMN_NAMES = tuple(column.name for column in COLUMNS)
N_TEST_COLUMNS = 20
"""A test part has only the columns before the four engagement timestamps."""

ENGAGEMENTS = ("like", "reply", "retweet", "retweet_with_comment")
"""The order of the counters."""
TARGETS = ("like", "retweet", "retweet_with_comment", "reply")
"""The order of labels, logits, probabilities and score tables."""
SUBMISSION_ENGAGEMENTS = ("reply", "retweet", "retweet_with_comment", "like")
"""The order of the probabilities in results.csv."""

MEDIA = ("GIF", "Photo", "Video")
TWEET_TYPES = ("Quote", "Retweet", "TopLevel", "Reply")

MAX_TEXT_BYTES = 200
"""Largest length of a text. In the challenge, ids and hashed values have 32 bytes, and other texts fewer."""

LINE_NUMBER = "line_number"
"""0-based line of the row in its raw part (int64); the part's name and this identify a row."""
ENGAGEMENT_DAY = "engagement_day"
"""Days since 1970-01-01 (int32) of the latest engagement timestamp, or of tweet_timestamp if there is none; 0 if both
are missing."""


def engagement_timestamp(engagement: str) -> str:
    """Returns the raw column with the time of `engagement`."""
    return f"{engagement}_timestamp"


LABELS = tuple(map(engagement_timestamp, ENGAGEMENTS))
"""The columns with the times of the engagements."""


def tweet_schema(*, labelled: bool, validation: bool = False) -> pa.Schema:
    """Returns the schema of typed tweets (tweet_parts, validation_tweets, test_tweets): line, columns, day[, split].

    Rows are ordered by engagement_day, then line_number (test_tweets: line_number only).
    """
    columns = COLUMNS if labelled else COLUMNS[:N_TEST_COLUMNS]
    fields = [_described(LINE_NUMBER, pa.int64(), "0-based line in the raw part")]
    for column in columns:
        fields.append(_described(column.name, ARROW_TYPES[column.kind], column.description))
        if column.name == TEXT_TOKENS:
            fields[-1] = _described(TEXT_TOKENS, pa.binary(), f"{column.description}: low 16 bits, little-endian")
            fields.append(_described(TEXT_TOKENS_HIGH, pa.binary(), "the bits above, eight ids a byte, then a 1"))
    fields += [_described(ENGAGEMENT_DAY, pa.int32(), "days since 1970-01-01 of the latest engagement, else the tweet")]
    if validation:
        fields.append(_described(SPLIT, pa.int32(), "chunk of a fine-tuning row; -1 where the row is held out"))
    return pa.schema(fields)


def _described(name: str, data_type: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, data_type, metadata={"description": description})


# --- features -------------------------------------------------------------------------------------------------------
# A counter feature is named <window prefix><key>_<engagement>. The training window has no prefix.

TRAINING_KEYS, VALIDATION_KEYS = (tuple(key.name for key in counted_keys(window, ())) for window in WINDOWS)
REVERSED_KEYS = tuple(key.name for key in REVERSED)
"""The keys of the reference, whose counters are among the 73 numbers."""
NEGATIVE_KEYS = ("pair", "author", "viewer", "tweet")
VALIDATION_PREFIX = "valid_"


def counter_names(keys: tuple[str, ...], prefix: str = "") -> tuple[str, ...]:
    """Returns the names of the engagement counters of `keys`, four per key in the order of ENGAGEMENTS."""
    return tuple(f"{prefix}{key}_{engagement}" for key in keys for engagement in ENGAGEMENTS)


SIMILARITY_FEATURES = (*counter_names(("similar",)), "similar_jaccard_sum")
TRAINING_FEATURES = (*counter_names(TRAINING_KEYS), *SIMILARITY_FEATURES)
VALIDATION_FEATURES = counter_names(VALIDATION_KEYS, VALIDATION_PREFIX)
NEGATIVE_FEATURES = (
    *counter_names(REVERSED_KEYS, VALIDATION_PREFIX),
    *(f"{VALIDATION_PREFIX}{key}_negative" for key in NEGATIVE_KEYS),
)
INTERACTION_FEATURES = (*TRAINING_FEATURES, *VALIDATION_FEATURES, *NEGATIVE_FEATURES)
"""The reference's 65 features, in the order of the network's input."""

PROFILE_NUMBERS = (
    "n_hashtags",
    "n_tokens",
    "engaged_with_user_follower_count",
    "engaged_with_user_following_count",
    "engaging_user_follower_count",
    "engaging_user_following_count",
    "engaging_user_account_age_days",
    "engaged_with_user_account_age_days",
)
NUMBERS = (*INTERACTION_FEATURES, *PROFILE_NUMBERS)
"""The 73 numbers that the network reads as Fourier features."""

BINARY_FEATURES = (
    "engagee_follows_engager",
    "engaged_with_user_is_verified",
    "engaging_user_is_verified",
    "has_hashtag",
    "has_gif",
    "has_photo",
    "has_video",
    "has_link",
    "has_domain",
    "is_quote",
    "is_retweet",
    "is_top_level",
)

EXPOSURE_FEATURES = (
    *(f"{key}_exposures" for key in TRAINING_KEYS),
    *(f"{VALIDATION_PREFIX}{key}_exposures" for key in VALIDATION_KEYS),
    *(f"{VALIDATION_PREFIX}{key}_exposures" for key in REVERSED_KEYS),
)
"""The exposures of each key, with an engagement or not: the denominators of rates. Beyond the reference."""


def further_counters(families: Collection[str]) -> tuple[str, ...]:
    """Returns the counters of `families` beyond the reference: `<window prefix><key>`."""
    keys = {"": further_keys(TRAINING, families), VALIDATION_PREFIX: further_keys(VALIDATION, families)}
    return tuple(f"{prefix}{key.name}" for prefix, found in keys.items() for key in found)


def further_counters_in(columns: Collection[str]) -> tuple[str, ...]:
    """Returns the counters beyond the reference that have columns among `columns`, in order."""
    return tuple(name for name in further_counters(COUNTER_FAMILIES) if f"{name}_exposures" in columns)


def further_features(counters: Collection[str]) -> tuple[str, ...]:
    """Returns the columns of `counters` beyond the reference: four engagements and the exposures of each."""
    return tuple(f"{counter}_{count}" for counter in counters for count in (*ENGAGEMENTS, "exposures"))


SCORED_FILE_FEATURES = (
    "file_viewer_rows",
    "file_author_rows",
    "file_tweet_rows",
    "file_pair_rows",
    "file_viewer_day_rows",
    "file_viewer_position",
    "file_hours_before",
    "file_hours_after",
)
"""The family `scored_file`, float32: in no file of features, but made beside its rows when they are scored."""

IDENTITY_COLUMNS = ("tweet_id", "engaging_user_id", "engaged_with_user_id", "first_hashtag")
"""Ids of a row's tweet, users and first hashtag, as text, null if missing: keys of the mixed model's effects."""
TWEET_TIMESTAMP = "tweet_timestamp"

SPLIT = "split"
"""The chunk 0 … n - 1 of a fine-tuning row, or HOLDOUT for a held-out row (int32)."""
HOLDOUT = -1


TOKEN_FIELDS = tuple(pa.field(name, pa.binary()) for name in TOKEN_COLUMNS)
"""What a model reads of the tweets themselves, beside the columns of feature_schema."""


def feature_schema(*, labelled: bool, validation: bool = False, families: Collection[str] = ()) -> pa.Schema:
    """Returns the schema of the rows that a model reads (interaction_features, validation_features, test_features).

    `families` are those of features.families; families beyond the reference add columns after the exposures. Rows are
    ordered by engagement_day, then line_number (test rows: line_number only). `hour` is 0 … 23 and `day_of_month`
    0 … 30, both UTC; labels are in the order of TARGETS. Missing numbers are 0, missing flags false: none is null, and
    Parquet writes and reads them without asking. Token ids are not repeated: a model reads those of the tweets,
    TOKEN_FIELDS.
    """
    fields = [_known(LINE_NUMBER, pa.int64()), _known(ENGAGEMENT_DAY, pa.int32())]
    if validation:
        fields.append(_known(SPLIT, pa.int32()))
    fields += [
        _known(name, pa.float64() if name in SIMILARITY_FEATURES else pa.int32()) for name in INTERACTION_FEATURES
    ]
    fields += [_known(name, pa.int64()) for name in PROFILE_NUMBERS]
    further = further_features(further_counters(families))
    fields += [_known(name, pa.int32()) for name in (*EXPOSURE_FEATURES, *further)]
    fields += [_known(name, pa.bool_()) for name in BINARY_FEATURES]
    fields += [
        pa.field("language", pa.string()),
        _known("hour", pa.int8()),
        _known("day_of_month", pa.int8()),
        *(pa.field(name, pa.string()) for name in IDENTITY_COLUMNS),
        _known(TWEET_TIMESTAMP, pa.int64()),
    ]
    if labelled:
        fields += [_known(name, pa.bool_()) for name in TARGETS]
    return pa.schema(fields)


def _known(name: str, data_type: pa.DataType) -> pa.Field:
    """Returns a field that is never null."""
    return pa.field(name, data_type, nullable=False)
