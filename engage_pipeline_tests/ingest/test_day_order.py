"""Rows by day, against Python's sort."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage_pipeline.ingest import day_order
from engage_pipeline.ingest.day_order import RowsByDay

SCHEMA = pa.schema({"line_number": pa.int64(), "text": pa.string(), "engagement_day": pa.int32()})


def rows(days: list[int], first: int = 0) -> pa.RecordBatch:
    lines = range(first, first + len(days))
    values = [lines, [None if line % 3 == 0 else f"row {line}" for line in lines], days]
    return pa.record_batch([pa.array(value, field.type) for value, field in zip(values, SCHEMA, strict=True)], SCHEMA)


def by_day_of(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows by day, as they are read."""
    days = batch["engagement_day"].to_pylist()
    return batch.take(pa.array(sorted(range(len(days)), key=days.__getitem__), pa.int64()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    days=st.lists(st.sampled_from([-(2**31), -1, 0, 18_661, 18_662, 18_663, 2**31 - 1]) | st.integers(0, 40)),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    limits=st.tuples(*[st.integers(1, 20)] * 4),
)
def test_any_batches_come_by_day_then_as_they_came(
    tmp_path: Path, days: list[int], cuts: list[int], limits: tuple[int, int, int, int]
) -> None:
    bounds = sorted({0, len(days), *(cut for cut in cuts if cut < len(days))})
    batches = [by_day_of(rows(days[start:end], start)) for start, end in pairwise(bounds)]
    with pytest.MonkeyPatch.context() as patch:
        for name, limit in zip(("SORTED_ROWS", "SLICE_ROWS", "DAY_ROWS", "ROW_GROUP_ROWS"), limits, strict=True):
            patch.setattr(day_order, name, limit)
        with RowsByDay(tmp_path / "spool", SCHEMA) as by_day:
            found = list(by_day.sort(batches))
    order = sorted(range(len(days)), key=lambda line: (days[line], line))
    expected = pa.Table.from_batches([rows(days)]).take(pa.array(order, pa.int64()))
    assert pa.Table.from_batches(found, SCHEMA).to_pylist() == expected.to_pylist()
    assert not (tmp_path / "spool").exists()


def test_a_day_for_each_row_makes_neither_small_slices_nor_large_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_order, "SORTED_ROWS", 5000)
    monkeypatch.setattr(day_order, "ROW_GROUP_ROWS", 6000)
    days = np.random.default_rng(1).permutation(20_000)
    batches = [by_day_of(rows(days[start : start + 1000].tolist(), start)) for start in range(0, 20_000, 1000)]
    with RowsByDay(tmp_path / "spool", SCHEMA) as by_day:
        sizes = []
        for batch in by_day.sort(batches):
            with pa.OSFile(str(tmp_path / "spool")) as file:
                assert pa.ipc.open_file(file).num_record_batches == 4  # one for each 5000 rows
            sizes.append(len(batch))
    assert sizes == [6000, 6000, 6000, 2000]


def test_days_with_many_rows_are_slices_and_batches_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_order, "SORTED_ROWS", 35)
    monkeypatch.setattr(day_order, "SLICE_ROWS", 10)
    monkeypatch.setattr(day_order, "DAY_ROWS", 10)
    days = [7] * 20 + [1, 2, 3] + [5] * 10 + [9, 8]
    with RowsByDay(tmp_path / "spool", SCHEMA) as by_day:
        found = list(by_day.sort([by_day_of(rows(days)), by_day_of(rows(days))]))
    together = [sorted(set(batch["engagement_day"].to_pylist())) for batch in found]
    assert together == [[1, 2, 3], [5], [5], [7], [7], [8, 9]]


def test_large_rows_of_few_days_are_read_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = list(range(100))
    with RowsByDay(tmp_path / "spool", SCHEMA) as by_day:
        assert [len(batch) for batch in by_day.sort([rows(days)])] == [100]
    monkeypatch.setattr(day_order, "SORTED_BYTES", rows(days).nbytes // 4)
    with RowsByDay(tmp_path / "spool", SCHEMA) as by_day:
        assert max(len(batch) for batch in by_day.sort([rows(days)])) <= 25


def test_large_rows_are_sorted_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_order, "SORTED_BYTES", 500)
    with RowsByDay(tmp_path / "spool", SCHEMA) as by_day:
        batches = list(by_day.sort([rows([1] * 50, 50 * place) for place in range(4)]))
    assert [len(batch) for batch in batches] == [50, 50, 50, 50]


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield rows([1, 2])
        raise KeyError

    with pytest.raises(KeyError), RowsByDay(tmp_path / "spool", SCHEMA) as by_day:
        list(by_day.sort(failing()))
    assert list(tmp_path.iterdir()) == []
