"""Counts inside the scored file against a slow reference in plain Python, and by hand."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline import schema
from engage_pipeline.interactions.features.scored_file import ALONE, NO_OTHER_ROW, ScoredFile, without_file
from engage_pipeline_tests.samples import feature_table

COLUMNS = ("tweet_id", "engaging_user_id", "engaged_with_user_id", schema.TWEET_TIMESTAMP)
Row = tuple[str | None, str | None, str | None, int | None]
"""Tweet, viewer, author and time."""
DAY = 86_400
NOON = 18_700 * DAY + DAY // 2


def written(rows: list[Row], path: Path, *, group: int = 3) -> Path:
    types = [pa.string(), pa.string(), pa.string(), pa.int64()]
    arrays = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(types)]
    pq.write_table(pa.table(arrays, list(COLUMNS)), path, row_group_size=group)
    return path


def counted(rows: list[Row], folder: Path) -> list[dict[str, float]]:
    found = ScoredFile.read(written(rows, folder / "rows.parquet")).columns
    assert list(found) == list(schema.SCORED_FILE_FEATURES)
    assert all(values.dtype == np.float32 for values in found.values())
    return [{name: float(values[row]) for name, values in found.items()} for row in range(len(rows))]


def slow_rows(rows: list[Row]) -> list[dict[str, float]]:
    """The same, one row after the other."""

    def day(row: Row) -> object:
        return row[3] and datetime.datetime.fromtimestamp(row[3], datetime.UTC).date()

    keys = {
        "file_viewer_rows": lambda row: (row[1],),
        "file_author_rows": lambda row: (row[2],),
        "file_tweet_rows": lambda row: (row[0],),
        "file_pair_rows": lambda row: (row[1], row[2]),
        "file_viewer_day_rows": lambda row: (row[1], day(row)),
    }
    found: list[dict[str, float]] = [{} for _ in rows]
    for name, key in keys.items():
        known = [key(row) for row in rows if all(key(row))]
        for row, values in zip(rows, found, strict=True):
            mean = len(known) / len({*known}) if known else 0
            values[name] = known.count(key(row)) / mean if all(key(row)) else np.nan
    for place, (row, values) in enumerate(zip(rows, found, strict=True)):
        others = [one[3] for number, one in enumerate(rows) if number != place and one[1] == row[1] and one[3]]
        names = ("file_viewer_position", "file_hours_before", "file_hours_after")
        values |= dict(zip(names, slow_places(row[3], others) if row[1] and row[3] else [np.nan] * 3, strict=True))
    return found


def slow_places(time: int, others: list[int]) -> tuple[float, float, float]:
    earlier = sum(other < time for other in others) + sum(other == time for other in others) / 2
    before = max((other for other in others if other <= time), default=-np.inf)
    after = min((other for other in others if other >= time), default=np.inf)
    gaps = [min(gap / 3600, NO_OTHER_ROW) for gap in (time - before, after - time)]
    return earlier / len(others) if others else 0.5, gaps[0], gaps[1]


def ids(name: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([None, *(f"{name}{number}" for number in range(4))])


TIMES = st.one_of(st.none(), st.integers(1, 40).map(lambda step: NOON + step * 7_777), st.just(NOON + DAY * 900))
FILES = st.lists(st.tuples(ids("t"), ids("u"), ids("u"), TIMES), max_size=30)


@given(rows=FILES)
def test_counts_are_those_of_the_slow_reference(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> None:
    found = counted(rows, tmp_path_factory.mktemp("file"))
    for row, (mine, expected) in enumerate(zip(found, slow_rows(rows), strict=True)):
        assert mine == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True), rows[row]


@given(rows=FILES, seed=st.integers(0, 99))
def test_the_order_of_the_lines_says_nothing(
    rows: list[Row], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    order = np.random.default_rng(seed).permutation(len(rows))
    folder = tmp_path_factory.mktemp("file")
    found, shuffled = counted(rows, folder), counted([rows[place] for place in order], folder)
    for place, row in enumerate(order.tolist()):
        assert shuffled[place] == pytest.approx(found[row], nan_ok=True)


def test_counts_by_hand(tmp_path: Path) -> None:
    """Anna sees three rows, two of them of Bert within six hours; Carl sees one. Two rows a viewer are the mean."""
    rows: list[Row] = [
        ("t1", "anna", "bert", NOON),
        ("t2", "carl", "bert", NOON),
        ("t3", "anna", "dora", NOON + DAY),
        ("t4", "anna", "bert", NOON - 6 * 3600),
    ]
    first, other, last, earliest = counted(rows, tmp_path)
    assert first == pytest.approx(
        {
            "file_viewer_rows": 3 / 2,
            "file_author_rows": 3 / 2,
            "file_tweet_rows": 1,
            "file_pair_rows": 2 / (4 / 3),
            "file_viewer_day_rows": 2 / (4 / 3),
            "file_viewer_position": 0.5,
            "file_hours_before": 6,
            "file_hours_after": 24,
        }
    )
    assert (other["file_viewer_rows"], other["file_viewer_position"]) == (0.5, 0.5)
    assert (other["file_hours_before"], other["file_hours_after"]) == (NO_OTHER_ROW, NO_OTHER_ROW)
    assert (last["file_viewer_position"], last["file_hours_after"]) == (1, NO_OTHER_ROW)
    assert (earliest["file_viewer_position"], earliest["file_hours_before"]) == (0, NO_OTHER_ROW)


@pytest.mark.parametrize("times", [1, 3])
def test_a_file_of_more_people_and_one_of_more_rows_of_each_count_alike(times: int, tmp_path: Path) -> None:
    rows: list[Row] = [("t1", "anna", "bert", NOON), ("t2", "anna", "bert", NOON), ("t3", "carl", "dora", NOON)]
    more_people: list[Row] = [
        (f"{tweet}-{copy}", f"{viewer}-{copy}", f"{author}-{copy}", time)
        for tweet, viewer, author, time in rows
        for copy in range(times)
    ]
    more_rows = [row for row in rows for _ in range(times)]
    counts = schema.SCORED_FILE_FEATURES[:5]
    plain, people, each = (counted(one, tmp_path)[:: len(one) // 3] for one in (rows, more_people, more_rows))
    for name in counts:
        assert [row[name] for row in people] == pytest.approx([row[name] for row in plain])
        assert [row[name] for row in each] == pytest.approx([row[name] for row in plain])


def test_labels_and_days_of_engagements_are_not_read(tmp_path: Path) -> None:
    table = feature_table(300, 3, validation=True)
    pq.write_table(table, tmp_path / "table.parquet")
    others = feature_table(300, 4, validation=True)
    for name in (*schema.TARGETS, schema.ENGAGEMENT_DAY, schema.SPLIT, *schema.INTERACTION_FEATURES):
        table = table.set_column(table.column_names.index(name), name, others[name])
    pq.write_table(table, tmp_path / "other.parquet")
    found, other = (ScoredFile.read(tmp_path / f"{name}.parquet").columns for name in ("table", "other"))
    assert all(np.array_equal(found[name], other[name], equal_nan=True) for name in found)
    assert all(len(np.unique(found[name])) > 1 for name in found)


def test_the_counts_stand_beside_the_rows_that_they_are_of(tmp_path: Path) -> None:
    rows: list[Row] = [(f"t{place}", f"u{place % 3}", "bert", NOON + place * 60) for place in range(10)]
    file = ScoredFile.read(written(rows, tmp_path / "rows.parquet"))
    table = pa.table({"place": np.arange(10)})
    for places, chosen in ((4, slice(4, 7)), (np.array([1, 5, 9]), np.array([1, 5, 9]))):
        found = file.beside(table.slice(0, 3), places)
        assert found.column_names == ["place", *schema.SCORED_FILE_FEATURES]
        for name in schema.SCORED_FILE_FEATURES:
            assert np.array_equal(found[name].to_numpy(), file.columns[name][chosen])
    along = pa.concat_tables(file.along([table.slice(0, 4), table.slice(4)]))
    assert along.equals(file.beside(table, 0))
    alone = without_file(table)
    assert all(alone[name].null_count == 10 for name in schema.SCORED_FILE_FEATURES)
    assert {alone.schema.field(name).type for name in schema.SCORED_FILE_FEATURES} == {pa.float32()}


def test_the_same_eighth_of_the_rows_is_alone_every_time(tmp_path: Path) -> None:
    rows: list[Row] = [(f"t{place}", f"u{place % 30}", "bert", NOON + place) for place in range(4000)]
    file = ScoredFile.read(written(rows, tmp_path / "rows.parquet", group=1000))
    masked, again = file.with_rows_alone().columns, file.with_rows_alone().columns
    alone = np.isnan(masked["file_viewer_rows"])
    assert alone.mean() == pytest.approx(1 / ALONE, abs=0.02)
    assert len({int(np.flatnonzero(alone)[place]) % ALONE for place in range(100)}) > 1  # not every eighth row
    for name, values in masked.items():
        assert np.array_equal(np.isnan(values), alone)
        assert np.array_equal(values[~alone], file.columns[name][~alone])
        assert np.array_equal(values, again[name], equal_nan=True)
