"""Random small worlds, so small that every key collides with others and every value is missing at times."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from engage_pipeline import schema
from engage_pipeline_tests.interactions.typed_parts import TIMESTAMPS, Row, engagement_day

DAY = 86400
START = 1_612_396_800  # 2021-02-04 00:00 UTC


@dataclass(frozen=True)
class World:
    """Typed rows: `training` in two parts, `validation` with SPLIT, `test` without labels."""

    training: list[list[Row]]
    validation: list[Row]
    test: list[Row]


def _optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values, values, values)


_times = st.integers(START - DAY, START + 4 * DAY)
_any_time = st.one_of(_times, st.integers(-(2**35), 2**37), st.sampled_from([0, -1, START, START - 1]))
_engaged = st.one_of(st.none(), st.none(), _times)
_counts = _optional(st.integers(0, 2**40))
_flags = _optional(st.booleans())
_users = _optional(st.sampled_from(["ana", "ben", "cal", "d"]))
_ROW = {
    "text_tokens": st.lists(st.integers(0, 200), max_size=4),
    "hashtags": st.lists(st.sampled_from(["x", "y"]), max_size=3),
    "tweet_id": _optional(st.sampled_from(["t1", "t2"])),
    "present_media": st.lists(st.sampled_from(schema.MEDIA), max_size=2),
    "present_links": st.lists(st.just("link"), max_size=1),
    "present_domains": st.lists(st.just("domain"), max_size=1),
    "tweet_type": _optional(st.sampled_from(schema.TWEET_TYPES)),
    "language": _optional(st.sampled_from(["en", "ja"])),
    "tweet_timestamp": _optional(_any_time),
    "engaged_with_user_id": _users,
    "engaged_with_user_follower_count": _counts,
    "engaged_with_user_following_count": _counts,
    "engaged_with_user_is_verified": _flags,
    "engaged_with_user_account_creation": _optional(_any_time),
    "engaging_user_id": _users,
    "engaging_user_follower_count": _counts,
    "engaging_user_following_count": _counts,
    "engaging_user_is_verified": _flags,
    "engaging_user_account_creation": _optional(_any_time),
    "engagee_follows_engager": _flags,
}
_LABELS = dict.fromkeys(TIMESTAMPS, _engaged)


@st.composite
def _rows(draw: st.DrawFn, columns: dict[str, st.SearchStrategy[Any]], least: int, most: int) -> list[Row]:
    rows = draw(st.lists(st.fixed_dictionaries(columns), min_size=least, max_size=most))
    lines = draw(st.permutations(range(len(rows))))
    for line, row in zip(lines, rows, strict=True):
        row[schema.LINE_NUMBER] = line
        row[schema.ENGAGEMENT_DAY] = engagement_day(row)
    return rows


def worlds() -> st.SearchStrategy[World]:
    """Worlds of up to 60 training, 40 validation and 8 test rows."""
    labelled = _ROW | _LABELS
    chunked = labelled | {schema.SPLIT: st.integers(schema.HOLDOUT, 2)}
    return st.builds(
        World,
        st.tuples(_rows(labelled, 1, 40), _rows(labelled, 0, 20)).map(list),
        _rows(chunked, 1, 40),
        _rows(_ROW, 1, 8),
    )
