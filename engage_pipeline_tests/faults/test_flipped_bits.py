"""A flipped bit or a cut tail in any published file: the manifest catches it, and the error says what to do."""

import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.commands.status_table import read_status
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.model.promotion.rollback import roll_back
from engage_pipeline.store.manifests import label
from engage_pipeline.store.plan import raw_sources
from engage_pipeline.store.publishing import MANIFEST
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.nursery import nursery

TRIES = 100
KINDS = {".parquet", ".safetensors", ".txt", ".json", ".arrow", ".csv", ".html", ".md"}


@pytest.fixture(scope="module")
def store(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    folder = tmp_path_factory.mktemp("flipped") / "world"
    worlds.copy_world(finished_world, folder)
    return worlds.store_of(folder / "config.yaml")


def published(store: ArtifactStore) -> Iterator[tuple[str, str | None, str]]:
    """Artifact, part and name of every file of every current version."""
    for name, artifact in ARTIFACTS.items():
        for key in store.parts() if artifact.partitioned else [None]:
            for file in store.open(name, key).manifest.files:
                yield name, key, file


def flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0] ^ (1 << bit % 8)
        file.seek(bit // 8)
        file.write(bytes([byte]))


def cut(path: Path, size: int) -> None:
    os.truncate(path, size)


@pytest.mark.parametrize("harm", [flip, cut], ids=["flip", "cut"])
def test_every_one_of_100_is_caught(
    store: ArtifactStore, harm: Callable[[Path, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(5)
    by_kind: dict[str, list[tuple[str, str | None, str]]] = {}
    for name, key, file in published(store):
        by_kind.setdefault(Path(file).suffix, []).append((name, key, file))
    assert set(by_kind) == KINDS
    for number in range(TRIES):
        name, key, file = rng.choice(by_kind[sorted(KINDS)[number % len(KINDS)]])
        version = store.open(name, key)
        path = version.path(file)
        status, content = path.stat(), path.read_bytes()
        harm(path, rng.randrange(8 * len(content) if harm is flip else len(content)))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        # As in a process that has not looked at the file yet: a disk that decays changes no time.
        monkeypatch.setattr(atomic, "_verified", {})
        what = re.escape(f"{path}: damaged: ") + ".*" + re.escape(f"; materialize {label(name, key)} again")
        with pytest.raises(UserError, match=f"^{what}$"):
            store.open(name, key).path(file)
        with pytest.raises(UserError, match=f"^{what}$"):
            store.open(name, key).directory()
        path.write_bytes(content)
        monkeypatch.setattr(atomic, "_verified", {})
        assert store.open(name, key).path(file) == path


@pytest.mark.parametrize("harm", [flip, cut], ids=["flip", "cut"])
def test_every_one_of_100_in_a_manifest_is_caught(store: ArtifactStore, harm: Callable[[Path, int], None]) -> None:
    rng = random.Random(6)
    for _ in range(TRIES):
        name, key, _ = rng.choice(list(published(store)))
        path = store.folder(name, key) / MANIFEST
        content, before = path.read_bytes(), store.manifest(name, key)
        harm(path, rng.randrange(8 * len(content) if harm is flip else len(content)))
        with pytest.raises(UserError, match=f"{path}: not a manifest; materialize {label(name, key)} again"):
            store.manifest(name, key)
        assert store.stale(name, key) == "its manifest is damaged"
        path.write_bytes(content)
        assert store.manifest(name, key) == before


READERS = {
    "tweet_parts/tweets.parquet": "interaction_counts",
    "trained_model/finetuned_network.safetensors": "submission",
    "engagement_trees/trees.json": "candidate_model",
    "trained_model/blend.json": "submission",
}


@pytest.mark.long
def test_who_reads_it_stops_with_the_line_and_making_it_again_mends_it(store: ArtifactStore) -> None:
    config = store.root.parent / "config.yaml"
    with nursery(config) as children:
        for place, reader in READERS.items():
            name, _, file = place.partition("/")
            key = "part-00001" if ARTIFACTS[name].partitioned else None
            before = store.open(reader).manifest
            path = store.open(name, key).path(file)
            flip(path, 4 * path.stat().st_size)
            problem = f"damaged: its SHA-256 differs from the manifest's; materialize {label(name, key)} again"
            assert children.make(reader).failure == f"{reader}: {path}: {problem}"
            assert store.manifest(reader) == before
            assert children.make(name, key).failure is None
            assert children.make(reader).failure is None
            assert store.open(reader).manifest.version == before.version


@pytest.mark.long
def test_the_lines_about_a_table_that_three_artifacts_share_lead_to_the_one_that_makes_it(
    store: ArtifactStore,
) -> None:
    chain = ["trained_model", "candidate_model", "engagement_effects"]
    file, before = "effect_viewer.arrow", store.open("submission").manifest.version
    with nursery(store.root.parent / "config.yaml") as children:
        for name in ("candidate_model", "trained_model"):  # a copied world shares nothing
            assert children.make(name).failure is None
        path = store.open("trained_model").path(file)
        flip(path, 4 * path.stat().st_size)
        for reader, damaged in zip(["submission", *chain[:-1]], chain, strict=True):
            failure = children.make(reader).failure
            assert failure is not None, reader
            assert failure.startswith(f"{reader}: {store.folder(damaged)}/"), failure
            problem = f"damaged: its SHA-256 differs from the manifest's; materialize {damaged} again"
            assert failure.endswith(f"/{file}: {problem}"), failure
        for name in [*reversed(chain), "submission"]:
            assert children.make(name).failure is None
    assert store.open("submission").manifest.version == before


@pytest.mark.long
def test_a_run_decides_on_no_model_while_the_manifest_of_the_one_before_is_damaged(world: Path) -> None:
    config = world / "config.yaml"
    store = worlds.store_of(config)
    before, path = store.open("trained_model").manifest, store.folder("trained_model") / MANIFEST
    flip(path, 8 * 300)
    with pytest.raises(UserError) as raised:
        worlds.run(config)
    told = re.fullmatch(rf"trained_model: {path}: damaged, .* `engage rollback --to (\w+)` lets .*", str(raised.value))
    assert told, raised.value
    assert store.folder("trained_model").joinpath(before.directory).is_dir()
    mended = roll_back(store, told[1])
    assert (mended.version, mended.facts["counters"]) == (before.version, before.facts["counters"])
    assert {step.artifact for step in worlds.run(config)} <= {"evaluation", "submission"}
    assert all(one.reason is None for one in read_status(worlds.store_of(config)).artifacts)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "file", "reason"),
    [
        ("submission", "results.csv", "results.csv is missing"),
        ("validation_features", "features.parquet", "features.parquet is missing"),
    ],
)
def test_a_run_makes_again_what_lost_a_file(world: Path, name: str, file: str, reason: str) -> None:
    config = world / "config.yaml"
    store = worlds.store_of(config)
    before = store.open(name)
    before.path(file).unlink()
    assert [(one.artifact, one.reason) for one in read_status(store).artifacts if one.reason] == [(name, reason)]
    assert [(step.artifact, step.reason) for step in worlds.run(config)] == [(name, reason)]
    assert store.open(name).manifest.version == before.manifest.version
    assert store.open(name).path(file).is_file()
    assert (store.root / "latest" / "results.csv").is_file()


@pytest.mark.long
def test_a_damaged_manifest_of_a_part_is_no_verdict_on_the_others(world: Path) -> None:
    store = worlds.store_of(world / "config.yaml")
    path = store.folder("tweet_parts", "part-00001") / MANIFEST
    content = path.read_bytes()
    path.write_text("{", encoding="utf-8")
    strict = worlds.store_of(worlds.write_config(world, checks={"max_shared_share": 0.4}))
    others = [("tweet_parts", "part-00000"), ("validation_tweets", None), ("test_tweets", None)]
    said = {(one.artifact, one.part): one.reason for one in read_status(strict).artifacts}
    assert [said[one] for one in others] == [None, None, None]
    path.write_bytes(content)
    for name, key in [*others, ("interaction_counts", None)]:
        assert strict.stale(name, key, raw_sources(strict.settings, name, key)) is None
        manifest = strict.manifest(name, key)
        assert manifest is not None
        assert manifest.verdict is not None
        assert set(manifest.verdict.problems.values()) == {""}
        assert manifest.verdict.limits["max_shared_share"] == 0.4


@pytest.mark.long
@pytest.mark.parametrize(("name", "key"), [("interaction_counts", None), ("tweet_parts", "part-00001")])
def test_a_run_mends_a_damaged_manifest_that_status_names(world: Path, name: str, key: str | None) -> None:
    config = world / "config.yaml"
    store = worlds.store_of(config)
    before, path = store.manifest(name, key), store.folder(name, key) / MANIFEST
    cut(path, 4 * path.stat().st_size)
    (said,) = [one for one in read_status(store).artifacts if (one.artifact, one.part) == (name, key)]
    assert str(said.reason).startswith(f"{path}: not a manifest")
    assert (name, key) in [(step.artifact, step.key) for step in worlds.run(config)]
    mended = worlds.store_of(config)
    assert mended.manifest(name, key).version == before.version
    assert all(one.reason is None for one in read_status(mended).artifacts)
