"""Rows of a stretch, and a process's share of them, against the same rows taken from whole files."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.model.network.buffer import RowBuffer
from engage_pipeline.model.network.rows import RowReader, Rows
from engage_pipeline.model.network.schedule import RowRange, Stretch, repeated, shuffled
from engage_pipeline_tests.model.network.network_samples import LANGUAGES, write_parts, write_validation


def assert_equal(found: Rows, expected: Rows) -> None:
    for name, values in vars(expected).items():
        if isinstance(values, np.ndarray) and not name.startswith("_"):
            np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)


def whole(path: Path) -> Rows:
    return RowReader(LANGUAGES).rows(pq.read_table(path), labelled=True)


def stretch_of(*ranges: tuple[Path, int, int]) -> Stretch:
    parts = tuple(RowRange(path, start, stop, stop - start) for path, start, stop in ranges)
    return Stretch("x", parts, sum(part.rows for part in parts))


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return write_parts(tmp_path, [200, 150])


def test_all_rows_of_ranges_of_two_files(paths: list[Path]) -> None:
    stretch = stretch_of((paths[0], 70, 140), (paths[1], 10, 90))
    rows = RowBuffer(RowReader(LANGUAGES)).rows(stretch, np.arange(150))
    assert_equal(rows.take(np.arange(70)), whole(paths[0]).take(np.arange(70, 140)))
    assert_equal(rows.take(np.arange(70, 150)), whole(paths[1]).take(np.arange(10, 90)))


@pytest.mark.parametrize("positions", [[0, 69, 70, 149], [70], [3, 5, 80, 81], []])
def test_a_share_holds_its_positions_alone(paths: list[Path], positions: list[int]) -> None:
    stretch, share = stretch_of((paths[0], 70, 140), (paths[1], 10, 90)), np.array(positions, int)
    everything = RowBuffer(RowReader(LANGUAGES)).rows(stretch, np.arange(150))
    assert_equal(RowBuffer(RowReader(LANGUAGES)).rows(stretch, share), everything.take(share))


def test_rows_that_a_rule_chooses(tmp_path: Path) -> None:
    path = write_validation(tmp_path, 300)
    chosen = np.flatnonzero(pq.read_table(path)[schema.SPLIT].to_numpy() % 3 == 0)
    (stretch,) = repeated("pass", path, lambda split: split % 3 == 0, 1, seed=1)
    share = np.arange(1, stretch.rows, 2)
    buffer = RowBuffer(RowReader(LANGUAGES), rule=lambda split: split % 3 == 0)
    assert_equal(buffer.rows(stretch, share), whole(path).take(chosen[share]))


def test_the_same_rows_are_read_once_and_others_anew(paths: list[Path]) -> None:
    first, second = shuffled(paths, 2, 4, seed=1)
    buffer = RowBuffer(RowReader(LANGUAGES))
    rows = buffer.rows(first, np.arange(350))
    assert buffer.rows(second, np.arange(350)) is rows
    assert_equal(buffer.rows(second, np.arange(0, 350, 2)), rows.take(np.arange(0, 350, 2)))
    other = stretch_of((paths[1], 0, 100), (paths[1], 100, 150))
    assert_equal(buffer.rows(other, np.arange(150)), whole(paths[1]))
    same_size = stretch_of((paths[0], 20, 170))
    assert_equal(buffer.rows(same_size, np.arange(150)), whole(paths[0]).take(np.arange(20, 170)))
