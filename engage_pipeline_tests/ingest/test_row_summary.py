"""The summary of typed rows, against plain Python over the same rows."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage_pipeline.ingest import row_summary
from engage_pipeline.ingest.row_summary import RowSummary
from engage_pipeline.schema import ENGAGEMENTS, engagement_timestamp
from engage_pipeline_tests.ingest.parsing.slow_reader import truth_columns

IDS = st.none() | st.sampled_from(["A", "B", "AB", "B C", "é"])
TYPES = {
    "tweet_id": pa.string(),
    "engaging_user_id": pa.string(),
    "engaged_with_user_id": pa.string(),
    "tweet_type": pa.string(),
    "present_media": pa.list_(pa.string()),
    **{engagement_timestamp(engagement): pa.int64() for engagement in ENGAGEMENTS},
    "engagement_day": pa.int32(),
}
ROWS = st.fixed_dictionaries(
    {
        "tweet_id": IDS,
        "engaging_user_id": IDS,
        "engaged_with_user_id": IDS,
        "tweet_type": st.sampled_from([None, "Quote", "TopLevel"]),
        "present_media": st.lists(st.sampled_from(["GIF", "Video"]), max_size=2),
        **{engagement_timestamp(engagement): st.sampled_from([None, 0, 1, 5]) for engagement in ENGAGEMENTS},
        "engagement_day": st.sampled_from([-(2**31), 0, 18_661]),
    }
)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], type_) for name, type_ in TYPES.items()})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, max_size=30), size=st.integers(1, 9), sampled=st.integers(1, 5))
def test_counts_and_sample_are_those_of_plain_python(
    tmp_path: Path, rows: list[dict[str, Any]], size: int, sampled: int
) -> None:
    pq.write_table(table(rows), tmp_path / "tweets.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_summary, "SAMPLE_ROWS", sampled)
        by_batch = RowSummary()
        passed = list(by_batch.watch(table(rows).to_batches(size)))
        of_file = RowSummary.of_file(tmp_path / "tweets.parquet")
        samples = [summary.sample().to_pylist() for summary in (by_batch, of_file)]
    assert pa.Table.from_batches(passed, table(rows).schema).to_pylist() == rows
    pairs = [(row["tweet_id"], row["engaging_user_id"]) for row in rows]
    known = sorted(pair for pair in pairs if None not in pair)
    for summary, sample in zip((by_batch, of_file), samples, strict=True):
        assert summary.days == Counter(row["engagement_day"] for row in rows)
        for name in ("tweet_id", "engaging_user_id", "engaged_with_user_id"):
            assert summary.missing_ids[name] == sum(row[name] is None for row in rows)
        for engagement in ENGAGEMENTS:
            engaged = [row for row in rows if row[engagement_timestamp(engagement)] is not None]
            assert summary.positives[engagement] == len(engaged)
        assert summary.duplicates() == len(known) - len(set(known))
        assert sample == sorted(" ".join(pair) for pair in known[:sampled])
        assert {*summary.truth_columns()} == truth_columns(rows)
        assert not summary.unknown


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        ({"tweet_type": "quote"}, {"tweet_type"}),
        ({"present_media": ["GIF", ""]}, {"present_media"}),
        ({"tweet_type": None, "present_media": None}, set()),
    ],
)
def test_unknown_values_are_noticed(change: dict[str, Any], unknown: set[str]) -> None:
    row = dict.fromkeys(TYPES) | {"tweet_type": "Reply", "present_media": ["Photo"], "engagement_day": 1}
    summary = RowSummary()
    assert len(list(summary.watch(table([row, row | change, row]).to_batches(2)))) == 2
    assert summary.unknown == unknown


def test_test_rows_have_no_engagements() -> None:
    row = dict.fromkeys(TYPES) | {"engagement_day": 1}
    rows = table([row]).drop_columns([engagement_timestamp(engagement) for engagement in ENGAGEMENTS])
    summary = RowSummary()
    list(summary.watch(rows.to_batches()))
    assert summary.days.total() == 1
    assert not summary.positives
    assert summary.truth_columns() == []
