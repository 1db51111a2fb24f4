"""Raw lines the way of the reference: split a line at a time, and what each row itself tells."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from engage_pipeline import schema
from engage_pipeline.schema import Kind

SECONDS_A_DAY = 86_400


def read_line(line: str) -> dict[str, Any]:
    """The typed values of a line of a raw part, by column name."""
    values = line.rstrip("\n").split(schema.FIELD_SEPARATOR)
    return {column.name: _value(column.kind, text) for column, text in zip(schema.COLUMNS, values, strict=False)}


def _value(kind: Kind, text: str) -> Any:
    if kind is Kind.TOKENS:
        return [int(token) for token in text.split(schema.LIST_SEPARATOR)] if text else []
    if kind is Kind.STRINGS:
        return text.split(schema.LIST_SEPARATOR) if text else []
    if not text:
        return None
    if kind is Kind.INTEGER:
        return int(text)
    return text == "true" if kind is Kind.BOOLEAN else text


def profile(row: Mapping[str, Any]) -> dict[str, Any]:
    """PROFILE_NUMBERS, BINARY_FEATURES, hour and day of month (from 0, UTC) of a row."""
    written = row["tweet_timestamp"]
    values = {"n_hashtags": len(row["hashtags"]), "n_tokens": len(row["text_tokens"])}
    for user in ("engaged_with_user", "engaging_user"):
        for count in (f"{user}_follower_count", f"{user}_following_count"):
            values[count] = row[count] or 0
        created = row[f"{user}_account_creation"]
        known = written is not None and created is not None
        values[f"{user}_account_age_days"] = (written - created) // SECONDS_A_DAY if known else 0
        values[f"{user}_is_verified"] = bool(row[f"{user}_is_verified"])
    moment = datetime.fromtimestamp(written or 0, UTC)
    values |= {"hour": moment.hour, "day_of_month": moment.day - 1}
    values["engagee_follows_engager"] = bool(row["engagee_follows_engager"])
    values |= {f"has_{kind.lower()}": kind in row["present_media"] for kind in schema.MEDIA}
    for name in ("hashtag", "link", "domain"):
        values[f"has_{name}"] = bool(row["hashtags" if name == "hashtag" else f"present_{name}s"])
    types = {"Quote": "is_quote", "Retweet": "is_retweet", "TopLevel": "is_top_level"}
    return values | {name: row["tweet_type"] == kind for kind, name in types.items()}
