"""A version is replaced for good, and nothing of it is left."""

from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.rewriting import note_facts, purge, remove, remove_workspace, rewrite
from engage_pipeline.store.rules import Outcome, rule
from engage_pipeline.store.store import ArtifactStore, Version
from engage_pipeline_tests.samples import bare_store, tiny_settings

FILE = "rows.parquet"


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return bare_store(tiny_settings(tmp_path / "data", recsys_data=str(tmp_path / "raw")))


def publish(store: ArtifactStore, name: str, content: bytes, key: str | None = None, *sources: Path) -> None:
    with store.publish(name, key, sources) as draft:
        draft.path(FILE).write_bytes(content)
        draft.rows = len(content)
        draft.facts = {"rows": len(content), "lines": 9}


def rewritten(store: ArtifactStore, content: bytes, name: str = "test_tweets") -> None:
    with rewrite(store, name) as (_, draft):
        draft.path(FILE).write_bytes(content)
        draft.rows = len(content)
        draft.facts["rows"] = len(content)


def folders(store: ArtifactStore, name: str = "test_tweets") -> list[Path]:
    return [path for path in store.folder(name).iterdir() if is_version_folder(path)]


def test_only_the_rewritten_version_is_left(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"first")
    publish(store, "test_tweets", b"second")
    store.workspace("test_tweets")
    rewritten(store, b"sec")
    opened = store.open("test_tweets")
    assert opened.path(FILE).read_bytes() == b"sec"
    assert folders(store) == [opened.directory()]
    assert (opened.manifest.rows, opened.manifest.facts) == (3, {"rows": 3, "lines": 9})


def test_a_rewritten_version_stays_one_of_its_sources_and_settings(store: ArtifactStore, tmp_path: Path) -> None:
    raw = tmp_path / "raw" / "part-0"
    raw.parent.mkdir()
    raw.write_bytes(b"one")
    publish(store, "validation_tweets", b"one", None, raw)
    before = store.open("validation_tweets").manifest
    other = bare_store(store.settings.model_copy(update={"validation_percentage": 0.5}))
    rewritten(other, b"o", "validation_tweets")
    after = store.open("validation_tweets").manifest
    assert (after.settings, after.sources, after.inputs, after.code_version) == (
        before.settings,
        before.sources,
        before.inputs,
        before.code_version,
    )
    assert after.version != before.version
    share = store.settings.validation_percentage
    assert other.stale("validation_tweets", None, [raw]) == f"validation_percentage: {share} → 0.5"
    raw.write_bytes(b"two")
    assert store.stale("validation_tweets", None, [raw]) == "part-0 was replaced"


def test_a_raising_block_leaves_the_version_as_it_was(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"old")
    with pytest.raises(RuntimeError), rewrite(store, "test_tweets") as (_, draft):
        draft.path(FILE).write_bytes(b"half")
        raise RuntimeError
    assert store.open("test_tweets").path(FILE).read_bytes() == b"old"
    assert len(folders(store)) == 1


def test_what_failed_a_check_is_not_mended_by_being_rewritten(store: ArtifactStore) -> None:
    @rule("")
    def no_row_is_left(store: ArtifactStore, version: Version) -> Outcome:
        """There are no rows."""
        rows = version.manifest.rows or 0
        return Outcome(f"{rows} rows" if rows else "", {})

    store = bare_store(store.settings, no_row_is_left)
    publish(store, "test_tweets", b"rows")
    rewritten(store, b"row")
    assert store.stale("test_tweets") == "failed a check (3 rows)"
    rewritten(store, b"")
    assert store.stale("test_tweets") is None


def test_facts_are_added_without_a_new_version(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"rows")
    version = store.open("test_tweets")
    note_facts(store, version, Facts(deletions="d1"))
    assert store.open("test_tweets").manifest.facts == {"rows": 4, "lines": 9, "deletions": "d1"}
    assert store.open("test_tweets").manifest.directory == version.manifest.directory
    publish(store, "test_tweets", b"more")
    note_facts(store, version, Facts(deletions="d2"))
    assert "deletions" not in store.open("test_tweets").manifest.facts


def test_purging_leaves_the_current_version_alone(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"first")
    publish(store, "test_tweets", b"second")
    (store.folder("test_tweets") / ".tmp-0123.json").write_bytes(b"{}")
    (store.folder("test_tweets") / ".tmp-4567").mkdir()
    store.workspace("test_tweets")
    purge(store, "test_tweets")
    assert store.open("test_tweets").path(FILE).read_bytes() == b"second"
    assert sorted(path.name for path in store.folder("test_tweets").iterdir()) == sorted(
        [".lock", "current", "manifest.json", store.open("test_tweets").manifest.directory]
    )
    publish(store, "test_tweets", b"third")
    assert store.open("test_tweets").path(FILE).read_bytes() == b"third"


def test_what_is_removed_is_not_there(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"rows")
    remove(store, "test_tweets")
    assert store.stale("test_tweets") == "not there yet"
    assert folders(store) == []


def test_a_workspace_is_removed_alone(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"rows")
    store.workspace("test_tweets")
    remove_workspace(store, "test_tweets")
    assert folders(store) == [store.open("test_tweets").directory()]


def test_what_another_run_is_making_is_left_alone(store: ArtifactStore) -> None:
    publish(store, "test_tweets", b"rows")
    with store.publish("test_tweets"):
        for change in (purge, remove, remove_workspace):
            with pytest.raises(UserError, match="another run is making test_tweets"):
                change(store, "test_tweets")
        with pytest.raises(UserError, match="another run is making test_tweets"), rewrite(store, "test_tweets"):
            pass


def test_what_is_not_there_can_not_be_rewritten(store: ArtifactStore) -> None:
    store.folder("test_tweets").mkdir(parents=True)
    with pytest.raises(UserError, match="nothing to rewrite"), rewrite(store, "test_tweets"):
        pass


def test_parts_are_found_whatever_the_settings_say(store: ArtifactStore) -> None:
    assert store.keys_on_disk("tweet_parts") == []
    publish(store, "tweet_parts", b"b", "part-1")
    publish(store, "tweet_parts", b"a", "part-0")
    store.folder("tweet_parts", "part-0").with_name("lost+found").mkdir()
    assert store.keys_on_disk("tweet_parts") == ["part-0", "part-1"]
    assert store.keys_on_disk("test_tweets") == [None]
