"""What the status says beside its table."""

from pathlib import Path

import pytest

from engage_pipeline.commands.status_table import read_status
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.plan import raw_sources
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.samples import bare_store, settings_of_three_parts


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of_three_parts(tmp_path)


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    store = bare_store(settings)
    for number in range(3):
        key = f"part-0000{number}"
        with store.publish("tweet_parts", key, raw_sources(settings, "tweet_parts", key)) as draft:
            draft.path("rows.parquet").write_bytes(key.encode())
    return store


def test_a_part_whose_file_is_gone_is_named(store: ArtifactStore, settings: Settings) -> None:
    raw = settings.recsys_data
    assert read_status(store).notes == ()
    (raw / "part-00001").unlink()
    assert read_status(store).notes == (f"part-00001: its file is gone from {raw}: left out",)
    for name in ("part-00000", "part-00002"):
        (raw / name).unlink()
    names = "part-00000, part-00001, part-00002"
    assert read_status(store).notes == (f"{names}: their files are gone from {raw}: left out",)


def test_a_part_whose_file_has_another_ending_now_is_not_gone(store: ArtifactStore, settings: Settings) -> None:
    (settings.recsys_data / "part-00001").rename(settings.recsys_data / "part-00001.gz")
    assert read_status(store).notes == ()
    one = bare_store(settings.model_copy(update={"max_n_parts": 1}))
    assert read_status(one).notes == ()


def test_two_files_of_a_part_are_named_whether_it_was_ingested_or_not(store: ArtifactStore, settings: Settings) -> None:
    raw = settings.recsys_data
    for name in ("part-00001.gz", "part-00007", "part-00007.parquet"):
        (raw / name).write_bytes(b"")
    found = read_status(store)
    assert found.notes == (f"{raw}: part-00007 and part-00007.parquet are both part part-00007; remove one",)
    (ingested, _) = [state for state in found.artifacts if state.part == "part-00001"]
    assert ingested.reason == f"{raw}: part-00001 and part-00001.gz are both part part-00001; remove one"


def test_a_damaged_manifest_is_told_by_its_line_alone(store: ArtifactStore, settings: Settings) -> None:
    (settings.recsys_data / "part-00001").unlink()
    (store.folder("tweet_parts", "part-00000") / "manifest.json").write_bytes(b"{")
    assert read_status(store).notes == ()
