"""Items of work: one after the other, in processes, and in Spark's tasks."""

import logging
import os
from pathlib import Path

import pyarrow as pa
import pytest

from engage_pipeline import progress
from engage_pipeline.engines.tasks import LEAST_MEMORY, LEAST_ROWS, attempt_items, map_items
from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.engines import work
from engage_pipeline_tests.engines.spark.helpers import MASTER
from engage_pipeline_tests.samples import tiny_settings

WAYS = {
    "here": {"processes": 1},
    "processes": {"processes": 2},
    "spark": {"kind": "spark", "spark_master": MASTER},
}


def settings_of(folder: Path, **engine: object) -> Settings:
    return tiny_settings(folder, engine={"threads": 4, "memory_limit": "2GB", **engine})


@pytest.fixture(params=[pytest.param(way, marks=[pytest.mark.long] * (way == "spark")) for way in WAYS])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return settings_of(tmp_path, **WAYS[request.param])


def test_results_are_in_the_order_of_the_items(settings: Settings) -> None:
    assert map_items("squares", work.square, range(7), settings) == [0, 1, 4, 9, 16, 25, 36]
    assert map_items("squares", work.square, [], settings) == []


def test_a_users_error_is_the_result_of_its_item(settings: Settings) -> None:
    found = attempt_items("squares", work.square, [2, 11, 4, 13, 12], settings)
    assert [str(one) if isinstance(one, UserError) else one for one in found] == [4, "11 is odd", 16, "13 is odd", 144]
    with pytest.raises(UserError, match=r"^11 is odd$"):
        map_items("squares", work.square, [2, 11, 4, 13, 12], settings)


def test_arrow_allocates_by_malloc_within_the_work(settings: Settings) -> None:
    before = pa.default_memory_pool().backend_name
    assert map_items("allocators", work.allocator_of_arrow, range(2), settings) == ["system"] * 2
    assert pa.default_memory_pool().backend_name == before


def test_another_error_ends_all(settings: Settings) -> None:
    with pytest.raises(Exception, match="three is a bug") as caught:
        attempt_items("numbers", work.fail_at_three, range(5), settings)
    assert not isinstance(caught.value, UserError)


def test_what_is_written_is_the_same(settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    assert map_items("files", work.write, paths, settings) == [None] * 3
    assert [path.read_text(encoding="utf-8") for path in paths] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("engine", "expected", "processes"),
    [
        ({"processes": 1}, ("duckdb", 4, "2GB"), 1),
        ({"processes": 2}, ("duckdb", 2, "1.0000GB"), 2),
        ({"processes": 2, "threads": None}, ("duckdb", max(1, len(os.sched_getaffinity(0)) // 2), "1.0000GB"), 2),
        ({"processes": 8, "memory_limit": "3GB"}, ("duckdb", 1, "1.0000GB"), 3),
        ({"processes": 8, "memory_limit": f"{2 * LEAST_MEMORY // 1000}KB"}, ("duckdb", 2, "512000.0000KB"), 2),
        ({"processes": 2, "memory_limit": "100MB"}, ("duckdb", 4, "100MB"), 1),
    ],
)
def test_processes_share_threads_and_memory(
    tmp_path: Path, engine: dict[str, object], expected: tuple[str, int, str], processes: int
) -> None:
    found = map_items("shares", work.share, range(3), settings_of(tmp_path, **engine))
    assert {one[:3] for one in found} == {expected}
    assert len({one[3] for one in found}) == processes


@pytest.mark.parametrize(
    ("engine", "rows", "processes"),
    [
        ({"threads": 2}, 2 * LEAST_ROWS, 2),
        ({"threads": 2}, 2 * LEAST_ROWS - 1, 1),
        ({"threads": 2}, 9 * LEAST_ROWS, 2),
        ({"threads": 4}, 9 * LEAST_ROWS, 3),
        ({"threads": 4, "memory_limit": "1GB"}, 9 * LEAST_ROWS, 1),
    ],
)
def test_many_rows_start_processes_by_themselves(
    tmp_path: Path, engine: dict[str, object], rows: int, processes: int
) -> None:
    settings = settings_of(tmp_path, **engine)
    for found in (
        attempt_items("shares", work.share, range(3), settings, all_rows=rows),
        attempt_items("shares", work.share, range(3), settings, rows=[rows, 0, 0]),
    ):
        assert len({one[3] for one in found if not isinstance(one, UserError)}) == processes


@pytest.mark.long
def test_tasks_of_spark_share_memory_and_work_on_one_thread_each(tmp_path: Path) -> None:
    found = map_items("shares", work.share, range(3), settings_of(tmp_path, **WAYS["spark"]))
    assert {one[:3] for one in found} == {("duckdb", 1, "1.0000GB")}
    assert os.getpid() not in {one[3] for one in found}


def test_progress_counts_the_rows_of_the_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, "engage_pipeline"):
        map_items("squares", work.square, [1, 2], settings_of(tmp_path, processes=1), rows=[30, 12])
    assert [line.partition(" rows")[0] for line in caplog.messages[:2]] == ["squares: 30 of 42", "squares: 42 of 42"]
