"""The features of one row at a time, from counters in memory: the same as write_features gives a test row.

    rows = RowFeatures(settings, **published.counts)
    table = rows.table(read_line(line))

What does not belong here: looking up a key (counters), and features of whole parts (interactions.features).
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.interactions.counters.counting import COUNTS, LABELLED_SCOPE, TRAINING_SCOPE
from engage_pipeline.interactions.counters.family_counts import counter_family
from engage_pipeline.interactions.single_row.counters import (
    NOTHING,
    Counts,
    RowNumbers,
    SimilarAuthors,
    Window,
    engagements,
)
from engage_pipeline.numerics.token_bytes import token_bytes
from engage_pipeline.settings.families import (
    REVERSED,
    SIMILAR,
    TRAINING,
    VALIDATION,
    VIEWER,
    WINDOWS,
    Key,
    counted_keys,
)
from engage_pipeline.settings.settings import Settings

_DAY = 86_400
_CYCLE = 12_622_780_800
"""Seconds of 400 years, after which the calendar repeats."""
_NEGATIVE, _EXPOSURES = COUNTS.index("negative"), COUNTS.index("exposures")
_ENGAGED = [(engagement, COUNTS.index(engagement)) for engagement in schema.ENGAGEMENTS]


class RowFeatures:
    """Computes the features of test rows, from tables in memory."""

    def __init__(self, settings: Settings, *, training_counts: Path, similarity: Path, validation_counts: Path) -> None:
        """Reads the counters and the similar authors that write_features joins."""
        self.families: Collection[str] = settings.features.families
        self.keys = {window: counted_keys(window, self.families) for window in WINDOWS}
        self.training = Window(training_counts, TRAINING_SCOPE, self.keys[TRAINING])
        self.validation = Window(validation_counts, LABELLED_SCOPE, self.keys[VALIDATION])
        self.similar = SimilarAuthors(similarity, self.training.users)
        self.schema = schema.feature_schema(labelled=False, families=self.families)
        self._of_kind = {
            kind: [(place, field.name) for place, field in enumerate(self.schema) if field.type == kind]
            for kind in dict.fromkeys(self.schema.types)
        }
        """Place and name of the columns, by type."""

    def table(self, row: Mapping[str, Any]) -> pa.Table:
        """Returns a row of schema.feature_schema, line number 0, for a row's first 20 columns from read_line."""
        values = {schema.LINE_NUMBER: 0, **_profile(row)}
        numbers = self.training.numbers(row)
        for key in self.keys[TRAINING]:
            _put(values, key.name, self._counts(self.training, key, numbers))
        similar: list[float] = [0.0] * len(schema.SIMILARITY_FEATURES)
        if counter_family(SIMILAR.name) in self.families:
            others = self.similar.of(numbers[SIMILAR.column][0])
            similar = engagements(others, self.training.totals[SIMILAR.counted], numbers[VIEWER][0])
        values |= zip(schema.SIMILARITY_FEATURES, similar, strict=True)
        numbers = self.validation.numbers(row)
        for key in (*self.keys[VALIDATION], *REVERSED):
            _put(values, f"{schema.VALIDATION_PREFIX}{key.name}", self._counts(self.validation, key, numbers))
        return self._one_row(values)

    def _counts(self, window: Window, key: Key, numbers: RowNumbers) -> Counts:
        return window.counts(key, numbers) if counter_family(key.name) in self.families else NOTHING

    def _one_row(self, values: Mapping[str, Any]) -> pa.Table:
        """Returns a table of one row. Its columns are slices of one array per type, because Arrow's calls are slow."""
        columns: list[pa.Array | None] = [None] * len(self.schema)
        for kind, own in self._of_kind.items():
            side_by_side = pa.array([values[name] for _, name in own], kind)
            for index, (place, _) in enumerate(own):
                columns[place] = side_by_side.slice(index, 1)
        return pa.Table.from_batches([pa.RecordBatch.from_arrays(columns, schema=self.schema)])


def _put(values: dict[str, Any], key: str, counts: Counts) -> None:
    for engagement, place in _ENGAGED:
        values[f"{key}_{engagement}"] = counts[place]
    values[f"{key}_negative"], values[f"{key}_exposures"] = counts[_NEGATIVE], counts[_EXPOSURES]


def _profile(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the columns of profiles.sql for the row."""
    written = row["tweet_timestamp"]
    moment = datetime.fromtimestamp((written or 0) % _CYCLE, UTC)
    values: dict[str, Any] = {
        schema.ENGAGEMENT_DAY: (written or 0) // _DAY,
        schema.TWEET_TIMESTAMP: written or 0,
        "hour": moment.hour,
        "day_of_month": moment.day - 1,
        "first_hashtag": row["hashtags"][0] if row["hashtags"] else None,
        "n_hashtags": len(row["hashtags"]),
        "n_tokens": len(row["text_tokens"]),
        "engagee_follows_engager": bool(row["engagee_follows_engager"]),
        "has_hashtag": bool(row["hashtags"]),
        "has_link": bool(row["present_links"]),
        "has_domain": bool(row["present_domains"]),
        **{f"has_{kind.lower()}": kind in row["present_media"] for kind in schema.MEDIA},
        **{f"is_{name}": row["tweet_type"] == kind for name, kind in _TYPES.items()},
    }
    for user in ("engaged_with_user", "engaging_user"):
        created = row[f"{user}_account_creation"]
        known = written is not None and created is not None
        values[f"{user}_account_age_days"] = (written - created) // _DAY if known else 0
        values[f"{user}_is_verified"] = bool(row[f"{user}_is_verified"])
        values |= {name: row[name] or 0 for name in (f"{user}_follower_count", f"{user}_following_count")}
    low, high = token_bytes(row[schema.TEXT_TOKENS])
    values |= {schema.TEXT_TOKENS: low, schema.TEXT_TOKENS_HIGH: high}
    return values | {name: row[name] for name in ("language", *schema.IDENTITY_COLUMNS[:3])}


_TYPES = {"quote": "Quote", "retweet": "Retweet", "top_level": "TopLevel"}
