"""What the watch reads: contents within a time, files that change meanwhile, and the parts in a real store."""

import hashlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from engage_pipeline.ingest.watch import observation
from engage_pipeline.ingest.watch.observation import ContentReader, look, look_at_all, stored_parts
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.samples import bare_store, tiny_settings

BLOCK = 1 << 12


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "_BLOCK", BLOCK)


def blocks(path: Path, number: int, seed: int = 0) -> Path:
    """A file of so many different blocks and one byte more."""
    path.write_bytes(b"".join(bytes([seed + index]) * BLOCK for index in range(number)) + b"z")
    return path


def ticks(step: float = 1.0) -> Iterator[float]:
    """A clock that goes on by `step` each time it is read: once a block."""
    return count(0.0, step)


def reader(blocks_a_look: int) -> ContentReader:
    clock = ticks()
    return ContentReader(blocks_a_look, clock=lambda: next(clock))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_contents_are_read_to_their_end(tmp_path: Path) -> None:
    paths = {name: blocks(tmp_path / name, 3, seed) for seed, name in enumerate(["part-1", "part-2"])}
    found, problems = ContentReader(60.0).read(paths, ["part-1", "part-2"])
    assert {name: file.sha256 for name, file in found.items()} == {name: sha256(path) for name, path in paths.items()}
    assert problems == {}
    assert found["part-1"].bytes == 3 * BLOCK + 1


def test_a_file_too_large_for_one_look_is_gone_on_with(tmp_path: Path) -> None:
    paths = {"part-1": blocks(tmp_path / "part-1", 7), "part-2": blocks(tmp_path / "part-2", 1)}
    patient = reader(blocks_a_look=3)
    looks = 0
    found: dict[str, object] = {}
    while "part-1" not in found:
        found, _ = patient.read(paths, ["part-1", "part-2"])
        looks += 1
    assert looks == 3
    assert found["part-1"] == observation.replace(look(paths["part-1"]), sha256=sha256(paths["part-1"]))


def test_a_file_that_was_replaced_between_two_looks_is_started_anew(tmp_path: Path) -> None:
    path = blocks(tmp_path / "part-1", 4)
    time = path.stat().st_mtime_ns
    patient = reader(blocks_a_look=3)
    assert patient.read({"part-1": path}, ["part-1"]) == ({}, {})
    blocks(tmp_path / "new", 4, seed=100).replace(path)
    os.utime(path, ns=(time, time))
    assert patient.read({"part-1": path}, ["part-1"]) == ({}, {})
    found, _ = patient.read({"part-1": path}, ["part-1"])
    assert found["part-1"].sha256 == sha256(path)


def test_a_file_that_changes_while_it_is_read_comes_without_content(tmp_path: Path) -> None:
    path = blocks(tmp_path / "part-1", 3)

    def clock() -> float:
        with path.open("ab") as file:
            file.write(b"x")
        return 0.0

    found, _ = ContentReader(1e9, clock).read({"part-1": path}, ["part-1"])
    assert found["part-1"].sha256 is None
    assert found["part-1"].bytes == path.stat().st_size


def test_a_file_that_is_gone_or_unreadable_is_a_problem_of_its_own(tmp_path: Path) -> None:
    paths = {"part-1": tmp_path / "part-1", "part-2": blocks(tmp_path / "part-2", 1), "part-3": tmp_path}
    found, problems = ContentReader(60.0).read(paths, list(paths))
    assert found.keys() == {"part-2"}
    assert "part-1: No such file" in problems["part-1"]
    assert "Is a directory" in problems["part-3"]
    found, problems = look_at_all(paths)
    assert found.keys() == {"part-2", "part-3"}
    assert problems.keys() == {"part-1"}


def publish(store: ArtifactStore, part: str, source: Path) -> Manifest:
    with store.publish("tweet_parts", part, [source]) as draft:
        draft.path("tweets.parquet").write_bytes(b"rows")
    assert draft.manifest is not None
    return draft.manifest


def test_the_stored_parts_are_those_whose_manifest_can_be_read(tmp_path: Path) -> None:
    store = bare_store(tiny_settings(tmp_path))
    assert stored_parts(store) == {}
    source = blocks(tmp_path / "part-1", 1)
    manifest = publish(store, "part-1", source)
    publish(store, "part-2", source)
    (store.folder("tweet_parts", "part-2") / "manifest.json").write_text("{")
    store.folder("tweet_parts", "part-3").mkdir()
    (store.folder("tweet_parts", "part-1").parent / "not a part").mkdir()
    found = stored_parts(store)
    assert found.keys() == {"part-1"}
    assert found["part-1"].source.sha256 == sha256(source)
    assert found["part-1"].directory == manifest.directory
