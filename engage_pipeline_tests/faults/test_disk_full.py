"""A full file system: one line that names the place and the space needed, nothing partial, nothing published."""

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.nursery import Nursery, nursery
from engage_pipeline_tests.faults.small_disks import PAGE, SmallDisk, small_disk
from engage_pipeline_tests.samples import GOLDEN, bare_store, tiny_settings

pytestmark = pytest.mark.long
ENGAGE = str(Path(sys.executable).with_name("engage"))
FULL = re.compile(
    r"(?P<place>/\S+): the disk is full \([\d.]+ \w+ free\): (?P<what>\S+) needs about (?P<needed>.+?) there;"
)
SPILLED = re.compile(
    r"(?P<place>/\S+): the disk is full \(.* free\): (?P<what>\S+) spills about (?P<needed>.+?) there; .*"
)
UNITS = {"bytes": 1, "KB": 1000, "MB": 1_000_000, "GB": 1_000_000_000}


def named_bytes(told: re.Match[str]) -> int:
    """The space that an error says is needed."""
    number, unit = told["needed"].split()
    return int(float(number) * UNITS[unit])


@pytest.fixture(scope="module")
def disk(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """The finished world with its working directory on a small disk."""
    folder = tmp_path_factory.mktemp("full") / "world"
    shutil.copytree(finished_world, folder, ignore=shutil.ignore_patterns("data"))
    with small_disk(folder / "data", 150_000_000) as disk:
        worlds.copy_world(finished_world / "data", disk.path)
        yield disk


@pytest.fixture(scope="module")
def config(disk: SmallDisk) -> Path:
    return disk.path.with_name("config.yaml")


@pytest.fixture(scope="module")
def children(config: Path) -> Iterator[Nursery]:
    with nursery(config) as started:
        yield started


def temporary(folder: Path) -> list[Path]:
    return list(folder.rglob(".tmp-*"))


def is_whole(store: ArtifactStore, name: str, key: str | None, manifest: Manifest | None) -> bool:
    """Whether `manifest` is the current one still, and its files are as published."""
    atomic._verified.clear()
    return store.manifest(name, key) == manifest and store.open(name, key).directory().is_dir()


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_disk_that_fills_while_an_asset_is_written(
    disk: SmallDisk, config: Path, children: Nursery, name: str
) -> None:
    store = worlds.store_of(config)
    key = "part-00001" if ARTIFACTS[name].partitioned else None
    before = store.manifest(name, key)
    assert before is not None
    for left in store.folder(name, key).glob(".work-*"):  # checkpoints of another test, whose removal would make room
        shutil.rmtree(left)
    disk.leave(sum(mark.bytes for mark in before.files.values()) // 2)
    failure = children.make(name, key).failure
    told = FULL.search(failure or "")
    assert told, failure
    assert (told["place"], told["what"]) == (str(store.folder(name, key)), label(name, key))
    assert "\n" not in str(failure)
    assert is_whole(store, name, key, before)
    assert temporary(disk.path) == []

    disk.leave(named_bytes(told))
    assert children.make(name, key).failure is None
    assert store.open(name, key).manifest.files.keys() == before.files.keys()
    disk.leave(20_000_000)


CHECKPOINTED = {
    "finetuned_encoder": {"encoder": {"save_steps": 1}},
    "pretrained_network": {"network": {"save_steps": 1}},
}


@pytest.mark.last  # it makes the artifacts with other settings
@pytest.mark.parametrize("name", CHECKPOINTED)
def test_a_disk_that_fills_while_a_checkpoint_is_saved(disk: SmallDisk, config: Path, name: str) -> None:
    worlds.write_config(config.parent, **CHECKPOINTED[name])
    often = config.rename(config.with_name(f"{name}.yaml"))
    worlds.write_config(config.parent)
    store = worlds.store_of(often)
    before = store.manifest(name)
    assert before is not None
    size = sum(mark.bytes for mark in before.files.values())
    failed = 0
    with nursery(often) as children:
        for free in range(PAGE, 6 * size, size):
            disk.leave(free)
            failure = children.make(name).failure
            if failure is None:
                break
            failed += 1
            told = FULL.search(failure)
            assert told, failure
            assert told["place"] == str(store.folder(name))
            assert store.manifest(name) == before
            assert temporary(store.folder(name)) == []
        disk.leave(50_000_000)
        assert children.make(name).failure is None
    assert failed >= 2
    assert store.open(name).directory().is_dir()
    disk.leave(20_000_000)


def ingest(store: ArtifactStore, source: Path) -> None:
    with store.publish("tweet_parts", "part-00000", [source]) as draft:
        ingest_part(
            source,
            tweets=draft.path("tweets.parquet"),
            rejects=draft.path("rejects.parquet"),
            settings=store.settings,
            labelled=True,
            order="day",
        )


def rejected_rows(path: Path, rows: int) -> Path:
    """Writes a Parquet part whose rows are rejected, but for a tenth: by turns as no line can hold a row, and as its
    line can't be read. So rejects come out of order, and are sorted."""
    numbers = range(rows)
    columns = {
        "hashtags": [["a\tb"] if number % 2 == 0 else ["a"] for number in numbers],
        "tweet_id": [os.urandom(75).hex() for _ in numbers],
        "language": ["en" if number % 10 == 9 else "x" * 201 for number in numbers],
        "tweet_timestamp": [1_612_396_800] * rows,
        "engaged_with_user_id": ["author"] * rows,
        "engaging_user_id": ["viewer"] * rows,
        "like_timestamp": [1_612_483_200] * rows,
    }
    pq.write_table(pa.table(columns), path)
    return path


def test_a_disk_that_fills_while_duckdb_spills(tmp_path: Path) -> None:
    source = rejected_rows(tmp_path / "part-00000.parquet", 250_000)
    with small_disk(tmp_path / "spill", 500_000_000) as disk:
        engine = {"threads": 1, "memory_limit": "90MB", "temp_directory": str(disk.path)}
        settings = tiny_settings(tmp_path / "data", engine=engine, ingest={"max_rejected_share": 0.95})
        store = bare_store(settings)
        disk.leave(10_000_000)
        with pytest.raises(UserError) as raised:
            ingest(store, source)
        told = SPILLED.match(str(raised.value))
        assert told, raised.value
        assert (told["place"], told["what"]) == (str(disk.path), "tweet_parts/part-00000")
        assert store.manifest("tweet_parts", "part-00000") is None
        assert temporary(tmp_path) == []
        assert [path.name for path in disk.path.iterdir()] == [".ballast"]

        disk.leave(named_bytes(told))
        ingest(store, source)
        assert store.open("tweet_parts", "part-00000").path("tweets.parquet").is_file()
        assert [path.name for path in disk.path.iterdir()] == [".ballast"]


def test_a_packed_part_is_not_called_damaged_when_its_copy_fills_the_disk(tmp_path: Path) -> None:
    source = tmp_path / "part-00000.gz"
    shutil.copy(GOLDEN / "train" / source.name, source)
    with small_disk(tmp_path / "data", 1_000_000) as disk:
        disk.leave(2 * PAGE)
        store = ArtifactStore(tiny_settings(disk.path))
        with pytest.raises(UserError) as raised:
            ingest(store, source)
        told = FULL.match(str(raised.value))
        assert told, raised.value
        assert named_bytes(told) > len(gzip.decompress(source.read_bytes()))
        assert temporary(disk.path) == []


def test_a_manifest_that_finds_no_space_takes_its_version_away(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", 1_000_000) as disk:
        store = bare_store(tiny_settings(disk.path))
        with store.publish("test_tweets") as draft:
            draft.path("rows").write_bytes(b"old")
        before = store.open("test_tweets").manifest
        with pytest.raises(UserError, match="test_tweets: the disk is full"), store.publish("test_tweets") as draft:
            draft.path("rows").write_bytes(b"new")
            disk.leave(0)
        assert is_whole(store, "test_tweets", None, before)
        assert [path.name for path in store.folder("test_tweets").iterdir() if is_version_folder(path)] == [
            before.directory
        ]


def test_results_that_find_no_space_leave_those_before(disk: SmallDisk, config: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "out", 1_000_000) as out:
        results = out.path / "results.csv"
        results.write_bytes(b"before")
        out.leave(2 * PAGE)
        command = [ENGAGE, "predict", "--input", str(config.parent / "raw" / "test"), "--output", str(results)]
        done = subprocess.run([*command, "--config", str(config)], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("engage: ")]
        told = FULL.search(line)
        assert told, line
        assert (told["place"], told["what"]) == (str(out.path), "predict")
        assert "Traceback" not in done.stderr
        assert results.read_bytes() == b"before"
        assert sorted(path.name for path in out.path.iterdir()) == [".ballast", "results.csv"]
        assert not list(disk.path.glob(".predict-*"))
        out.leave(named_bytes(told))
        subprocess.run([*command, "--config", str(config)], capture_output=True, check=True)


def test_a_full_disk_under_dagster_itself_is_one_line(config: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "home", 1_000_000) as home:
        shutil.copy(config.with_name("dagster.yaml"), home.path)
        home.leave(0)
        environment = {**os.environ, "DAGSTER_HOME": str(home.path)}
        command = [ENGAGE, "run", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 1
        assert "disk is full" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
