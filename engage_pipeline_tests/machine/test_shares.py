import os
from pathlib import Path

import pytest

from engage_pipeline.machine.memory import machine_memory
from engage_pipeline.machine.shares import (
    memory_bytes,
    settings_of_one,
    shared_by_size,
    shared_limit,
    trainings_at_once,
)
from engage_pipeline_tests.samples import tiny_settings


def files(folder: Path, *sizes: int) -> list[Path]:
    paths = [folder / f"{place}" for place in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(bytes(size))
    return paths


def test_files_are_shared_evenly_and_each_once(tmp_path: Path) -> None:
    paths = files(tmp_path, 10, 90, 50, 50, 0)
    shares = shared_by_size(paths, 2)
    assert shares == [{0: paths[0], 1: paths[1], 4: paths[4]}, {2: paths[2], 3: paths[3]}]


@pytest.mark.parametrize("sizes", [(5,), (0, 0, 0), (1000, 0, 0)])
def test_no_share_is_empty(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    shares = shared_by_size(files(tmp_path, *sizes), 3)
    assert [len(share) for share in shares] == [1] * len(sizes)


def test_memory_and_cores_are_divided(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, engine={"threads": None, "memory_limit": "4.5 GB"})
    one = settings_of_one(settings, 3)
    assert one.engine.memory_limit == "1.5000GB"
    assert one.engine.threads == max(1, len(os.sched_getaffinity(0)) // 3)
    assert settings_of_one(settings, 3, threads=5).engine.threads == 5
    assert settings_of_one(settings, 1) == settings
    assert shared_limit("70%", 2) == "35.0000%"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("1GB", 10**9), ("1.5 GiB", 3 * 2**29), ("20KB", 20_000), ("2TiB", 2**41), ("512MiB", 2**29)],
)
def test_a_memory_limit_in_bytes(limit: str, expected: int) -> None:
    assert memory_bytes(limit) == expected


def test_a_memory_limit_as_a_share_of_the_machine() -> None:
    assert memory_bytes("25%") == pytest.approx(machine_memory() / 4, rel=0.01)


@pytest.mark.parametrize(("threads", "of_each", "expected"), [(8, 1, 8), (8, 3, 2), (2, 4, 1)])
def test_trainings_share_the_cores(tmp_path: Path, threads: int, of_each: int, expected: int) -> None:
    settings = tiny_settings(tmp_path, engine={"threads": threads}, training_threads=of_each)
    assert trainings_at_once(settings) == expected
