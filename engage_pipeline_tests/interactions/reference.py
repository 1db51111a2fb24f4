"""The counters, similar authors and features (docs/specification.md, sections 3, 4, 6), row by row, in slow Python.

A key part that is missing makes no key: such a row shares it with no other.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from engage_pipeline import schema
from engage_pipeline_tests.token_lists import token_values

Row = dict[str, Any]
Graph = dict[str, list[tuple[str, float]]]
Key = tuple[Any, ...]
KEYS: dict[str, Callable[[Row], list[Key]]] = {
    "pair": lambda row: [(row["engaged_with_user_id"], row["engaging_user_id"])],
    "author": lambda row: [(row["engaged_with_user_id"],)],
    "viewer": lambda row: [(row["engaging_user_id"],)],
    "language": lambda row: [(row["language"], row["engaging_user_id"])],
    "hashtag": lambda row: [(hashtag, row["engaging_user_id"]) for hashtag in row["hashtags"]],
    "tweet": lambda row: [(row["tweet_id"],)],
    "type": lambda row: [(row["tweet_type"], row["engaging_user_id"])],
}
REVERSED = {"reverse_pair": "pair", "viewer_as_author": "author", "author_as_viewer": "viewer"}
NOTHING = object()


def features(row: Row, kind: str, training: Sequence[Row], validation: Sequence[Row], graph: Graph) -> Row:
    """The features of one row of `kind`, by name; `graph` as similar_authors gives it."""
    own_day = row[schema.ENGAGEMENT_DAY] if kind == "training" else NOTHING
    others = [other for other in training if other[schema.ENGAGEMENT_DAY] != own_day]
    if kind == "test":
        shown = list(validation)
    else:
        own_chunk = row[schema.SPLIT] if kind == "validation" else NOTHING
        shown = [other for other in validation if other[schema.SPLIT] not in {schema.HOLDOUT, own_chunk}]
    swapped = row | {
        "engaged_with_user_id": row["engaging_user_id"],
        "engaging_user_id": row["engaged_with_user_id"],
    }
    values: Row = {}
    for key in (*schema.TRAINING_KEYS, "type"):
        values |= _counts(key, KEYS[key], row, others)
    values |= _similar(row, others, graph)
    for key in (*schema.VALIDATION_KEYS, "type"):
        values |= _counts(f"valid_{key}", KEYS[key], row, shown)
    for name, key in REVERSED.items():
        values |= _counts(f"valid_{name}", KEYS[key], swapped, shown)
    for key in schema.NEGATIVE_KEYS:
        values[f"valid_{key}_negative"] = _count(KEYS[key], row, [other for other in shown if not any(engaged(other))])
    return values | _profile(row) | _labels(row)


def engaged(row: Row) -> list[bool]:
    """Did the row have each of ENGAGEMENTS?"""
    return [row[schema.engagement_timestamp(engagement)] is not None for engagement in schema.ENGAGEMENTS]


def _counts(name: str, keys: Callable[[Row], list[Key]], row: Row, others: Sequence[Row]) -> Row:
    values: Row = {f"{name}_exposures": _count(keys, row, others)}
    for index, engagement in enumerate(schema.ENGAGEMENTS):
        values[f"{name}_{engagement}"] = _count(keys, row, [other for other in others if engaged(other)[index]])
    return values


def _count(keys: Callable[[Row], list[Key]], row: Row, others: Sequence[Row]) -> int:
    return sum(theirs == ours for ours in keys(row) if None not in ours for other in others for theirs in keys(other))


def _similar(row: Row, others: Sequence[Row], graph: Graph) -> Row:
    similar = graph.get(row["engaged_with_user_id"], [])
    values: Row = {"similar_jaccard_sum": sum(jaccard for _, jaccard in similar)}
    for index, engagement in enumerate(schema.ENGAGEMENTS):
        liked = [other for other in others if engaged(other)[index]]
        values[f"similar_{engagement}"] = sum(
            jaccard * _count(KEYS["pair"], row | {"engaged_with_user_id": author}, liked) for author, jaccard in similar
        )
    return values


def similar_authors(rows: Sequence[Row], top_n: int, threshold: float) -> Graph:
    """For each author the most similar others and their Jaccard similarities, the highest first, ties by id."""
    sets: dict[str, set[str]] = {}
    for row in rows:
        author, viewer = row["engaged_with_user_id"], row["engaging_user_id"]
        if row["engagee_follows_engager"] and author is not None and viewer is not None:
            sets.setdefault(author, set()).add(viewer)
    graph: Graph = {}
    for author, ours in sets.items():
        scores = [(other, len(ours & theirs) / len(ours | theirs)) for other, theirs in sets.items() if other != author]
        kept = sorted((pair for pair in scores if pair[1] >= threshold), key=lambda pair: (-pair[1], pair[0]))
        if kept[: top_n - 1]:
            graph[author] = kept[: top_n - 1]
    return graph


def _profile(row: Row) -> Row:
    written = row["tweet_timestamp"]
    time = None if written is None else datetime.fromtimestamp(written, UTC)
    return {
        "n_hashtags": len(row["hashtags"]),
        "n_tokens": len(row["text_tokens"]),
        **{name: row[name] or 0 for name in schema.PROFILE_NUMBERS if name.endswith("_count")},
        "engaging_user_account_age_days": _days(row["engaging_user_account_creation"], written),
        "engaged_with_user_account_age_days": _days(row["engaged_with_user_account_creation"], written),
        "engagee_follows_engager": bool(row["engagee_follows_engager"]),
        "engaged_with_user_is_verified": bool(row["engaged_with_user_is_verified"]),
        "engaging_user_is_verified": bool(row["engaging_user_is_verified"]),
        "has_hashtag": row["hashtags"] != [],
        "has_gif": "GIF" in row["present_media"],
        "has_photo": "Photo" in row["present_media"],
        "has_video": "Video" in row["present_media"],
        "has_link": row["present_links"] != [],
        "has_domain": row["present_domains"] != [],
        "is_quote": row["tweet_type"] == "Quote",
        "is_retweet": row["tweet_type"] == "Retweet",
        "is_top_level": row["tweet_type"] == "TopLevel",
        "language": row["language"],
        "hour": time.hour if time else 0,
        "day_of_month": time.day - 1 if time else 0,
        **token_values(row["text_tokens"]),
        **{name: row[name] for name in ("tweet_id", "engaging_user_id", "engaged_with_user_id")},
        "first_hashtag": row["hashtags"][0] if row["hashtags"] else None,
        "tweet_timestamp": written or 0,
    }


def _days(start: int | None, end: int | None) -> int:
    return 0 if start is None or end is None else (end - start) // 86400


def _labels(row: Row) -> Row:
    return {target: row.get(schema.engagement_timestamp(target)) is not None for target in schema.TARGETS}
