"""Items of work one after the other, and in processes."""

import os
from pathlib import Path

import pytest

from engage_pipeline.engines.tasks import attempt_items, map_items
from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.samples import tiny_settings


def squared(settings: Settings, item: int) -> tuple[int, str, int]:
    """The work of these tests: a square, the limit of memory that it was given, and the process. 13 fails."""
    if item == 13:
        raise UserError("13 can't be done")
    if item == 99:
        raise ValueError("99 is a mistake")
    return item * item, settings.engine.memory_limit, os.getpid()


def of(folder: Path, processes: int, limit: str = "2GB") -> Settings:
    return tiny_settings(folder, engine={"processes": processes, "memory_limit": limit, "threads": 1})


@pytest.mark.parametrize("processes", [1, 2])
def test_results_and_errors_are_in_the_order_of_the_items(tmp_path: Path, processes: int) -> None:
    found = attempt_items("squares", squared, [3, 13, 5, 2, 7], of(tmp_path, processes), [1, 1, 1, 1, 1])
    squares = [str(each) if isinstance(each, UserError) else each[0] for each in found]
    assert squares == [9, "13 can't be done", 25, 4, 49]
    pids = {each[2] for each in found if not isinstance(each, UserError)}
    assert (pids == {os.getpid()}) == (processes == 1)
    assert len(pids) == processes


def test_processes_share_the_memory_and_are_no_more_than_it_feeds(tmp_path: Path) -> None:
    limits = {limit for _, limit, _ in map_items("squares", squared, [1, 2, 3], of(tmp_path, 2, "1200MB"))}
    assert limits == {"600.0000MB"}
    (pid,) = {pid for _, _, pid in map_items("squares", squared, [1, 2, 3], of(tmp_path, 2, "1000MB"))}
    assert pid == os.getpid()


def test_the_first_error_of_a_person_is_raised(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="13 can't be done"):
        map_items("squares", squared, [1, 13, 2], of(tmp_path, 1))


def test_any_other_error_ends_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a mistake"):
        attempt_items("squares", squared, [99, 1], of(tmp_path, 1))


def test_no_items_need_nothing(tmp_path: Path) -> None:
    assert attempt_items("squares", squared, [], of(tmp_path, 2)) == []
