"""Counts without a row's own fold, against dictionaries."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.interactions.shards import grouping, leaving_out
from engage_pipeline.interactions.shards.grouping import COUNTS, NOT_COUNTED
from engage_pipeline.interactions.shards.leaving_out import Shard
from engage_pipeline_tests.interactions.shards.shard_rows import VIEWERS, Shown, side_rows

LANGUAGES = 2
HIGH = 2**63
SHOWN = st.builds(
    Shown,
    viewer=st.sampled_from([1, 2, HIGH, HIGH + 1]),
    fold=st.sampled_from([-(2**31), -1, 18_000, 18_001]),
    labels=st.integers(0, 15) | st.just(int(NOT_COUNTED)),
    author=st.sampled_from([0, 1, HIGH, HIGH + 1]),
    language=st.integers(0, LANGUAGES),
    hashtags=st.lists(st.sampled_from([5, 6, HIGH]), max_size=4).map(tuple),
)


def keys_of(row: Shown) -> dict[str, list[tuple[int, ...]]]:
    """The values that a row is counted under, by key; a hashtag that recurs is counted again."""
    return {
        "viewer": [(row.viewer,)],
        "pair": [(row.viewer, row.author)] if row.author else [],
        "language": [(row.viewer, row.language)] if row.language else [],
        "hashtag": [(row.viewer, tag) for tag in row.hashtags],
    }


def added(labels: int) -> list[int]:
    """What a row adds to COUNTS."""
    if labels == NOT_COUNTED:
        return [0] * len(COUNTS)
    return [*(labels >> bit & 1 for bit in range(4)), int(labels == 0), 1]


def left_out_plainly(rows: list[Shown]) -> dict[str, list[list[int]]]:
    """COUNTS of each row by key: the sum over all rows of other folds."""
    found: dict[str, list[list[int]]] = {}
    for key in ("viewer", "pair", "language", "hashtag"):
        counts: Counter[tuple] = Counter()
        for row in rows:
            for value in keys_of(row)[key]:
                counts.update({(value, row.fold, place): n for place, n in enumerate(added(row.labels))})
        folds = {row.fold for row in rows}
        found[key] = [
            [
                sum(counts[value, fold, place] for value in keys_of(row)[key] for fold in folds - {row.fold})
                for place in range(len(COUNTS))
            ]
            for row in rows
        ]
    return found


def left_out(rows: list[Shown]) -> dict[str, list[list[int]]]:
    """The same by the shard."""
    shard = Shard.of(side_rows(rows))
    found = {}
    for key, counts in shard.counts(VIEWERS, {"language": LANGUAGES}).items():
        by_row = np.zeros_like(counts)
        by_row[:, shard.rows.places] = counts
        found[key] = by_row.T.tolist()
    return found


@settings(deadline=None, max_examples=150)
@given(st.lists(SHOWN, min_size=1, max_size=40))
def test_every_count_is_that_of_dictionaries(rows: list[Shown]) -> None:
    assert left_out(rows) == left_out_plainly(rows)


def test_the_same_where_tables_would_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving_out, "_MOST_CELLS", 0)
    rng = np.random.default_rng(0)
    rows = [
        Shown(int(viewer), int(fold), int(labels), 1, int(language))
        for viewer, fold, labels, language in zip(
            rng.integers(1, 4, 60), rng.integers(0, 3, 60), rng.integers(0, 16, 60), rng.integers(0, 3, 60), strict=True
        )
    ]
    assert left_out(rows) == left_out_plainly(rows)


def test_a_viewer_with_100_000_rows_and_one_with_few() -> None:
    """Counts beyond 16 bits on either side of the own day."""
    hub = [Shown(1, day, 1, author=7, language=1) for day in (10, 11) for _ in range(50_000)]
    hub += [Shown(1, 12, 0, author=7, language=1)] * 70_000
    few = [Shown(2, 10, 2, author=7, language=1), Shown(2, 12, 2, author=7, language=1)]
    found = left_out([*hub, *few])
    for key in ("viewer", "pair", "language"):
        assert found[key][0] == [50_000, 0, 0, 0, 70_000, 120_000]
        assert found[key][100_000] == [100_000, 0, 0, 0, 0, 100_000]
        assert found[key][-2:] == [[0, 1, 0, 0, 0, 1]] * 2
    assert not np.any(found["hashtag"])


def test_a_hashtag_twenty_times_in_a_row_is_counted_twenty_times_twenty() -> None:
    rows = [Shown(1, 1, 1, hashtags=(5,) * 20), Shown(1, 2, 3, hashtags=(5,) * 20), Shown(1, 3, 0, hashtags=(5, 6))]
    assert left_out(rows)["hashtag"] == [
        [20 * 20, 20 * 20, 0, 0, 20, 20 * 21],
        [20 * 20, 0, 0, 0, 20, 20 * 21],
        [40, 20, 0, 0, 0, 40],
    ]


def test_sums_over_hashtags_reach_beyond_16_bits() -> None:
    """3,000 rows of another day with the tag once: 60,000 times twenty in one row."""
    rows = [Shown(1, 1, 1, hashtags=(5,) * 20)] * 3_000 + [Shown(1, 2, 0, hashtags=(5,) * 20)]
    assert left_out(rows)["hashtag"][-1] == [1_200_000, 0, 0, 0, 0, 1_200_000]


def test_rows_that_only_ask_are_told_and_add_nothing() -> None:
    rows = [Shown(1, 1, 1, author=7), Shown(1, 2, int(NOT_COUNTED), author=7), Shown(1, 2, 4, author=7)]
    found = left_out(rows)
    assert found["pair"] == found["viewer"]
    assert found["pair"] == [[0, 0, 1, 0, 0, 1], [1, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 1]]


def test_an_empty_shard_counts_nothing() -> None:
    counts = Shard.of(side_rows([])).counts(VIEWERS, {"language": LANGUAGES})
    assert {key: each.shape for key, each in counts.items()} == dict.fromkeys(
        ("viewer", "pair", "language", "hashtag"), (len(grouping.COUNTS), 0)
    )
