"""Features of several parts in one go: published one by one, a part that can't be made loses no other."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.features import part_publishing
from engage_pipeline.interactions.features.part_publishing import publish_parts
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds

KEYS = ["part-00000", "part-00001", "part-00002"]


@pytest.fixture
def store(world: Path) -> ArtifactStore:
    return worlds.store_of(world / "config.yaml")


def version(store: ArtifactStore, key: str) -> dict[str, Any]:
    """What the published version holds."""
    return {name: mark.sha256 for name, mark in store.open("interaction_features", key).manifest.files.items()}


def make(store: ArtifactStore) -> dict[str, Manifest | str]:
    """By key the manifest, or what the user is told."""
    results = publish_parts(store, KEYS)
    assert list(results) == KEYS
    return {key: str(made) if isinstance(made, UserError) else made for key, made in results.items()}


def worked_on(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how many parts the shards are worked on, each time."""
    sizes: list[int] = []
    shards = part_publishing.counted_shards

    def counted(parts: Sequence[Path], *others: Any) -> Any:
        sizes.append(len(parts))
        return shards(parts, *others)

    monkeypatch.setattr(part_publishing, "counted_shards", counted)
    return sizes


def test_together_they_are_what_each_is_alone(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        assert isinstance(publish_parts(store, [key])[key], Manifest)
    alone = {key: version(store, key) for key in KEYS}
    sizes = worked_on(monkeypatch)
    made = make(store)
    assert sizes == [3]
    assert {key: version(store, key) for key in KEYS} == alone
    for key, manifest in made.items():
        assert isinstance(manifest, Manifest)
        path = store.open("interaction_features", key).path("features.parquet")
        assert manifest.rows == pq.read_metadata(path).num_rows > 0
        assert manifest.facts["seconds"] > 0
        assert manifest.facts["peak_mb"] > 0


def test_a_part_that_is_damaged_is_told_and_loses_no_other(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tweets = store.open("tweet_parts", KEYS[1]).path("tweets.parquet")
    tweets.write_bytes(tweets.read_bytes()[:-1])
    before = {key: store.open("interaction_features", key).manifest.created for key in KEYS}
    sizes = worked_on(monkeypatch)
    made = make(store)
    assert sizes == [2]
    assert isinstance(made[KEYS[1]], str)
    assert "tweets.parquet" in str(made[KEYS[1]])
    for key in (KEYS[0], KEYS[2]):
        assert store.open("interaction_features", key).manifest.created != before[key]


def test_what_stops_one_in_the_middle_stops_no_other(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = part_publishing._finish

    def fails(path: Path, *others: Any) -> None:
        if KEYS[1] in str(path):
            raise UserError("the disk is full")
        finish(path, *others)

    monkeypatch.setattr(part_publishing, "_finish", fails)
    sizes = worked_on(monkeypatch)
    made = make(store)
    assert sizes == [3]
    assert made[KEYS[1]] == "the disk is full"
    assert all(isinstance(made[key], Manifest) for key in (KEYS[0], KEYS[2]))
    folders = [path for key in KEYS for path in store.folder("interaction_features", key).glob(".tmp-*")]
    assert folders == []


def test_a_part_is_published_before_the_next_one(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {key: store.open("interaction_features", key).manifest.created for key in KEYS}
    finish = part_publishing._finish
    published: list[list[bool]] = []

    def stops_at_the_last(path: Path, *others: Any) -> None:
        published.append([store.open("interaction_features", key).manifest.created != before[key] for key in KEYS])
        if len(published) == len(KEYS):
            raise RuntimeError("the run ends here")
        finish(path, *others)

    monkeypatch.setattr(part_publishing, "_finish", stops_at_the_last)
    with pytest.raises(RuntimeError, match="ends here"):
        publish_parts(store, KEYS)
    assert published == [[False] * 3, [True, False, False], [True, True, False]]
    assert not [path for key in KEYS for path in store.folder("interaction_features", key).glob(".tmp-*")]


def test_without_counters_each_part_is_told(store: ArtifactStore) -> None:
    shutil.rmtree(store.folder("validation_counts"))
    made = make(store)
    assert all("validation_counts" in str(told) for told in made.values())


def test_a_part_that_is_not_there_loses_no_other(store: ArtifactStore) -> None:
    results = publish_parts(store, ["part-00077", KEYS[2]])
    assert "part-00077 is not there yet" in str(results["part-00077"])
    found = results[KEYS[2]]
    assert isinstance(found, Manifest)
    assert found.key == KEYS[2]
