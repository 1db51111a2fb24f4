"""Typed rows of so few users, tags and tweets that every key collides, with no value missing.

There are enough values of each column, and enough rows without an engagement, that sums change when a column is drawn
anew.
"""

import numpy as np

from engage_pipeline import schema
from engage_pipeline_tests.interactions.typed_parts import TIMESTAMPS, Row, engagement_day

DAY, START = 86_400, 1_612_396_800
USERS = ["ana", "ben", "cal", "dan", "eve", "fay", "gus"]
LISTS = {
    "hashtags": ["x", "y", "z"],
    "present_media": schema.MEDIA,
    "present_links": ["l1", "l2", "l3"],
    "present_domains": ["d1", "d2", "d3"],
}


def dense_rows(count: int, seed: int, *, labelled: bool = True, chunked: bool = False) -> list[Row]:
    """`count` rows on lines 0, 1, …; `chunked` ones have SPLIT: the holdout or one of three chunks."""
    rng = np.random.default_rng(seed)
    return [_row(line, rng, labelled=labelled, chunked=chunked) for line in range(count)]


def _row(line: int, rng: np.random.Generator, *, labelled: bool, chunked: bool) -> Row:
    row: Row = {
        schema.LINE_NUMBER: line,
        "text_tokens": list(range(int(rng.integers(1, 9)))),
        **{name: [str(one) for one in rng.choice(LISTS[name], rng.integers(0, 3))] for name in LISTS},
        "tweet_id": str(rng.choice(["t1", "t2", "t3", "t4", "t5", "t6"])),
        "tweet_type": str(rng.choice(schema.TWEET_TYPES)),
        "language": str(rng.choice(["en", "ja"])),
        "tweet_timestamp": START + int(rng.integers(0, 4 * DAY)),
        "engagee_follows_engager": bool(rng.random() < 0.5),
    }
    for role in ("engaged_with_user", "engaging_user"):
        row[f"{role}_id"] = str(rng.choice(USERS))
        row[f"{role}_follower_count"], row[f"{role}_following_count"] = rng.integers(0, 1000, 2).tolist()
        row[f"{role}_is_verified"] = bool(rng.random() < 0.5)
        row[f"{role}_account_creation"] = START - int(rng.integers(0, 1000 * DAY))
    if labelled:
        row |= {name: START + int(rng.integers(0, 4 * DAY)) if rng.random() < 0.25 else None for name in TIMESTAMPS}
    if chunked:
        row[schema.SPLIT] = int(rng.integers(-1, 3))
    return {**row, schema.ENGAGEMENT_DAY: engagement_day(row)}
