"""Arrays in files: what is read is what was written, by ranges, of numbers, rows and records."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.files.flat_arrays import FlatArray

RECORD = np.dtype([("a", "i8"), ("b", "f4", 3)])


@pytest.mark.parametrize("dtype", [np.dtype(np.int32), np.dtype((np.float64, (3,))), RECORD])
def test_ranges_are_read_and_written(dtype: np.dtype, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values = np.frombuffer(rng.integers(0, 100, 20 * dtype.itemsize, np.uint8).tobytes(), dtype.base).copy()
    values = values.reshape(20, *dtype.shape)
    array = FlatArray.empty(tmp_path / "new" / "array", dtype)
    assert len(array) == 0
    array.append(values[:12])
    array.append(values[12:])
    assert len(array) == 20
    assert array.read().tobytes() == values.tobytes()
    assert array.read(3, 7).tobytes() == values[3:7].tobytes()
    assert array.read(3, 7).shape == (4, *dtype.shape)
    array.write(5, values[:2])
    values[5:7] = values[:2]
    assert FlatArray(array.path, dtype).read().tobytes() == values.tobytes()


def test_values_are_written_as_the_type_of_the_array(tmp_path: Path) -> None:
    array = FlatArray.empty(tmp_path / "array", np.float32, 4)
    array.write(1, np.arange(4.0)[::2])
    assert array.read().tolist() == [0.0, 0.0, 2.0, 0.0]


def test_an_array_replaces_another_one_of_its_name(tmp_path: Path) -> None:
    before = FlatArray.empty(tmp_path / "array", np.int64, 3)
    array = FlatArray.empty(tmp_path / "array", np.int64)
    array.append(np.arange(2))
    assert (array.read().tolist(), before.read().tolist()) == ([0, 1], [0, 0, 0])


def test_what_is_not_there_is_not_read(tmp_path: Path) -> None:
    array = FlatArray.empty(tmp_path / "array", np.int64, 3)
    with pytest.raises(EOFError, match="ends before element 5"):
        array.read(2, 5)


@pytest.mark.parametrize("dtype", [np.dtype(np.int32), np.dtype((np.float64, (3,))), RECORD])
def test_mapped_arrays_are_read_without_a_copy_and_see_what_is_written(dtype: np.dtype, tmp_path: Path) -> None:
    array = FlatArray.empty(tmp_path / "array", dtype, 20)
    array.map()
    before = array.read(3, 7)
    array.write(4, np.ones(2, dtype.base).repeat(dtype.shape[0] if dtype.shape else 1).reshape(2, *dtype.shape))
    assert np.shares_memory(before, array.read())
    assert array.read(3, 7).tobytes() == FlatArray(array.path, dtype).read(3, 7).tobytes() != bytes(before.nbytes)
    assert (before.dtype, before.shape) == (dtype.base, (4, *dtype.shape))
    assert before.flags.writeable  # one type for compiled loops


def test_an_empty_array_can_be_mapped(tmp_path: Path) -> None:
    array = FlatArray.empty(tmp_path / "array", np.uint8)
    array.map()
    assert len(array) == len(array.read()) == 0
    array.append(np.ones(2, np.uint8))
    assert array.read().tolist() == [1, 1]
