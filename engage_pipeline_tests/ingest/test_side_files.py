"""Days, sample and label counts of a typed part, against plain Python over the same rows."""

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline import schema
from engage_pipeline.ingest.row_summary import SAMPLE_ROWS, RowSummary
from engage_pipeline.ingest.side_files import SideFiles, label_counts, rows_in_milliseconds, rows_outside, shared_rows
from engage_pipeline_tests.interactions.dense_rows import dense_rows
from engage_pipeline_tests.interactions.typed_parts import write_typed
from engage_pipeline_tests.samples import FIRST_DAY, tiny_settings

Row = tuple[str | None, str | None, int]
IDS = st.one_of(st.none(), st.sampled_from(["A", "B", "AB", "B C"]))


def written(folder: Path, rows: list[Row]) -> Path:
    """The side files of these tweets, viewers and days, in a folder of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    tweets, viewers, days = ([row[i] for row in rows] for i in range(3))
    table = {
        "tweet_id": pa.array(tweets, pa.string()),
        "engaging_user_id": pa.array(viewers, pa.string()),
        "engaged_with_user_id": pa.nulls(len(rows), pa.string()),
        "engagement_day": pa.array(days, pa.int32()),
        "tweet_type": pa.nulls(len(rows), pa.string()),
        "present_media": pa.nulls(len(rows), pa.list_(pa.string())),
    }
    pq.write_table(pa.table(table), folder / "tweets.parquet")
    SideFiles.within(folder).write(RowSummary.of_file(folder / "tweets.parquet"))
    return folder


@settings(deadline=None, max_examples=30)
@given(rows=st.lists(st.tuples(IDS, IDS, st.integers(0, 3)), max_size=30))
def test_small_parts_against_plain_python(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    folder = written(tmp_path_factory.mktemp("part"), rows)
    known = [(tweet, viewer) for tweet, viewer, _ in rows if tweet is not None and viewer is not None]
    days = pq.read_table(folder / "days.parquet").to_pylist()
    assert {day["engagement_day"]: day["rows"] for day in days} == Counter(day for _, _, day in rows)
    sample = pq.read_table(folder / "sample.parquet")["pair"].to_pylist()
    assert sample == sorted(f"{tweet} {viewer}" for tweet, viewer in known)


def test_rows_outside_a_window(tmp_path: Path) -> None:
    days = [FIRST_DAY] * 5 + [FIRST_DAY - 1] * 2 + [FIRST_DAY + 9] * 3 + [0] + [2_000_000]
    folder = written(tmp_path, [("A", "B", day) for day in days])
    far = date.fromordinal(date(1970, 1, 1).toordinal() + 2_000_000).isoformat()
    outside = rows_outside(folder / "days.parquet", date(2021, 2, 4), date(2021, 2, 12))
    assert outside == {"2021-02-13": 3, "2021-02-03": 2, "no date": 1, far: 1}
    assert list(outside) == ["2021-02-13", "2021-02-03", "no date", far]
    assert rows_in_milliseconds(folder / "days.parquet", date(2021, 2, 4), date(2021, 2, 12)) == 0
    assert rows_in_milliseconds(folder / "days.parquet", date(1900, 1, 1), date(9999, 12, 31)) == 0
    assert rows_in_milliseconds(folder / "days.parquet", date(1975, 6, 1), date(1975, 6, 23)) == 0
    assert rows_in_milliseconds(folder / "days.parquet", date(1975, 6, 24), date(1975, 6, 24)) == 1
    assert rows_in_milliseconds(folder / "days.parquet", date(1975, 6, 25), date(2021, 2, 12)) == 0
    everything = rows_outside(folder / "days.parquet", date(1970, 1, 1), date(9999, 1, 1))
    assert everything == {"no date": 1}


def pairs(rng: np.random.Generator, rows: int) -> list[Row]:
    return [(f"{tweet:032X}", f"{viewer:032X}", 1) for tweet, viewer in rng.integers(0, 2**40, (rows, 2)).tolist()]


def test_small_parts_share_exactly_what_they_share(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    first, second, third = (pairs(rng, 100) for _ in range(3))
    parts = {"a": first, "b": second, "c": third + first[:7] + second[:9] + third[:5]}
    samples = {name: written(tmp_path / name, rows) / "sample.parquet" for name, rows in parts.items()}
    assert shared_rows(samples) == {"c": (16, 121, "b")}


def test_large_parts_share_by_estimate(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    first, second, small = pairs(rng, 5 * SAMPLE_ROWS), pairs(rng, 3 * SAMPLE_ROWS), pairs(rng, 50)
    second[: SAMPLE_ROWS // 2] = first[: SAMPLE_ROWS // 2]
    parts = {"a": first, "b": second, "c": small}
    samples = {name: written(tmp_path / name, rows) / "sample.parquet" for name, rows in parts.items()}
    found = shared_rows(samples)
    assert found.keys() == {"b"}
    shared, whole, other = found["b"]
    assert whole < SAMPLE_ROWS
    assert shared / whole == pytest.approx(1 / 6, abs=4 * np.sqrt(1 / 6 * 5 / 6 / whole))
    assert other == "a"


def test_parts_without_a_row(tmp_path: Path) -> None:
    samples = {name: written(tmp_path / name, []) / "sample.parquet" for name in "ab"}
    assert shared_rows(samples) == {}


def test_label_counts_are_those_of_the_rows_by_day(tmp_path: Path) -> None:
    rows = dense_rows(80, 7)
    for row in rows[:5]:
        row[schema.ENGAGEMENT_DAY] = 0
    for row in rows[5:9]:
        row[schema.ENGAGEMENT_DAY] = -1  # the last day of 1969
    found = label_counts(write_typed(rows, tmp_path / "tweets.parquet"), tiny_settings(tmp_path))
    known = [row for row in rows if row[schema.ENGAGEMENT_DAY]]
    days = Counter(row[schema.ENGAGEMENT_DAY] for row in known)
    assert found[schema.ENGAGEMENT_DAY] == sorted(days)
    assert found[schema.ENGAGEMENT_DAY][0] == -1
    assert found["rows"] == [days[day] for day in sorted(days)]
    for name in schema.ENGAGEMENTS:
        engaged = Counter(
            row[schema.ENGAGEMENT_DAY] for row in known if row[schema.engagement_timestamp(name)] is not None
        )
        assert found[name] == [engaged[day] for day in sorted(days)]
    assert np.sum(found["like"]) > 0
