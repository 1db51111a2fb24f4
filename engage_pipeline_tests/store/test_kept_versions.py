"""Versions to return to: the last few contents, each once, whatever happens to the process that publishes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.store import kept_versions
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.kept_versions import LAST
from engage_pipeline.store.publishing import MANIFEST
from engage_pipeline.store.rewriting import purge, remove, rewrite
from engage_pipeline.store.rules import Outcome, rule
from engage_pipeline.store.store import ArtifactStore, Version
from engage_pipeline_tests.samples import bare_store, tiny_settings

NAME = "trained_model"


@rule("")
def never(store: ArtifactStore, version: Version) -> Outcome:
    """Nothing passes."""
    return Outcome("wrong", {})


def store_keeping(folder: Path, keep: int) -> ArtifactStore:
    return bare_store(tiny_settings(folder, promotion={"keep": keep}))


def publish(store: ArtifactStore, *contents: str, name: str = NAME) -> None:
    for content in contents:
        with store.publish(name) as draft:
            draft.path("weights").write_text(content, encoding="utf-8")


def contents(store: ArtifactStore, name: str = NAME) -> list[str]:
    """What the current version and the kept ones hold, the latest first."""
    current = store.current(name)
    assert current
    return [version.path("weights").read_text(encoding="utf-8") for version in [current, *store.kept(name)]]


def folders(store: ArtifactStore) -> set[str]:
    return {path.name for path in store.folder(NAME).iterdir() if is_version_folder(path)}


def test_the_last_few_contents_stay(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 3)
    publish(store, "a", "b")
    assert contents(store) == ["b", "a"]
    publish(store, "c", "d", "e")
    assert contents(store) == ["e", "d", "c"]
    assert len(folders(store)) == len(list(store.folder(NAME).glob("kept-*.json"))) + 1 == 3


def test_the_same_content_again_pushes_none_out(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 3)
    publish(store, "a", "b", "c", *["c"] * 5)
    assert contents(store) == ["c", "b", "a"]
    publish(store, "b", "b", "c")
    assert contents(store) == ["c", "b", "a"]
    publish(store, "d")
    assert contents(store) == ["d", "c", "b"]


def test_an_entry_that_a_killed_publication_left_pushes_none_out(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 3)
    publish(store, "a", "b")
    current = store.manifest(NAME)
    assert current is not None
    kept_versions.remember(store.folder(NAME), current)
    assert contents(store) == ["b", "a"]
    publish(store, "c")
    assert contents(store) == ["c", "b", "a"]


def test_a_reader_of_the_version_before_is_not_disturbed(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 1)
    publish(store, "a")
    reader = store.open(NAME)
    publish(store, "b")
    assert contents(store) == ["b"]
    assert reader.path("weights").read_text(encoding="utf-8") == "a"


def test_a_smaller_number_holds_from_the_next_publication_on(tmp_path: Path) -> None:
    publish(store_keeping(tmp_path, 5), "a", "b", "c", "d")
    store = store_keeping(tmp_path, 2)
    assert contents(store) == ["d", "c", "b", "a"]
    publish(store, "e")
    assert contents(store) == ["e", "d"]


def test_other_artifacts_keep_none(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 5)
    publish(store, "a", "b", "c", name="test_tweets")
    assert contents(store, "test_tweets") == ["c"]
    assert not list(store.folder("test_tweets").glob("kept-*"))


def test_a_damaged_manifest_loses_no_kept_version(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 5)
    publish(store, "a", "b", "c")
    (store.folder(NAME) / "manifest.json").write_text("{", encoding="utf-8")
    assert store.current(NAME) is None
    assert [version.path("weights").read_text(encoding="utf-8") for version in store.kept(NAME)] == ["c", "b", "a"]
    publish(store, "d")
    assert contents(store) == ["d", "c", "b", "a"]


@pytest.mark.parametrize("name", [NAME, "test_tweets"])
def test_a_version_whose_manifest_is_damaged_is_not_removed_by_the_next(tmp_path: Path, name: str) -> None:
    store = store_keeping(tmp_path, 2)
    publish(store, "a", name=name)
    folder = store.folder(name)
    (folder / LAST).unlink(missing_ok=True)  # as an earlier version of the program left it
    (folder / MANIFEST).write_text("{", encoding="utf-8")
    with pytest.raises(RuntimeError), store.publish(name):
        (store.workspace(name) / "state").write_bytes(b"1")
        raise RuntimeError
    publish(store, "b", name=name)
    found = {path.read_text(encoding="utf-8") for path in folder.glob("*-*/weights") if not path.parent.is_symlink()}
    assert found == {"a", "b"}
    assert contents(store, name) == ["b"]
    assert not list(folder.glob(".work-*"))


def test_a_copy_of_the_manifest_names_the_current_version_and_goes_with_it(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 2)
    publish(store, "a", "b")
    assert kept_versions.last(store.folder(NAME)) == store.manifest(NAME)
    purge(store, NAME)
    assert kept_versions.last(store.folder(NAME)) == store.manifest(NAME)
    with rewrite(store, NAME) as (_, draft):
        draft.path("weights").write_text("c", encoding="utf-8")
    assert kept_versions.last(store.folder(NAME)) is None
    publish(store, "d")
    remove(store, NAME)
    assert not (store.folder(NAME) / LAST).exists()
    assert store.kept(NAME) == []


def test_a_copy_of_the_manifest_without_its_version_or_a_broken_one_is_not_trusted(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 2)
    publish(store, "a")
    folder = store.folder(NAME)
    (folder / MANIFEST).unlink()
    (only,) = store.kept(NAME)
    only.path("weights").unlink()
    only.directory([]).rmdir()
    assert store.kept(NAME) == []
    publish(store, "b")
    (folder / LAST).write_text("{", encoding="utf-8")
    (folder / MANIFEST).write_text("{", encoding="utf-8")
    assert store.kept(NAME) == []


def test_a_version_that_failed_a_check_is_not_kept(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 5)
    publish(store, "a", "b")
    refusing = ArtifactStore(store.settings, lambda _: [never])
    assert refusing.current(NAME) is None
    publish(refusing, "c")
    assert contents(store) == ["c", "a"]


def test_an_entry_without_its_folder_or_a_broken_one_is_not_trusted(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 5)
    publish(store, "a", "b", "c", "d")
    first, second, _ = sorted(store.folder(NAME).glob("kept-*.json"))
    first.write_text("{", encoding="utf-8")
    kept = store.kept(NAME)
    assert len(kept) == 2
    (kept[-1].folder / kept[-1].manifest.directory / "weights").unlink()
    (kept[-1].folder / kept[-1].manifest.directory).rmdir()
    assert contents(store) == ["d", "c"]
    publish(store, "e")
    assert contents(store) == ["e", "d", "c"]
    assert not first.exists()
    assert not second.exists()


def test_a_damaged_kept_file_is_caught(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 5)
    publish(store, "a", "b")
    (kept,) = store.kept(NAME)
    (kept.folder / kept.manifest.directory / "weights").write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="weights: damaged"):
        kept.path("weights")


def test_input_versions_can_be_those_of_an_earlier_decision(tmp_path: Path) -> None:
    store = store_keeping(tmp_path, 5)
    publish(store, "a", name="candidate_model")
    publish(store, "a")
    inputs = store.open(NAME).manifest.inputs
    publish(store, "b", name="candidate_model")
    with store.publish(NAME) as draft:
        draft.path("weights").write_text("c", encoding="utf-8")
        draft.inputs = inputs
    assert store.stale(NAME) == "candidate_model changed"


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from engage_pipeline.store import kept_versions
from engage_pipeline_tests.store.test_kept_versions import publish, store_keeping
store = store_keeping(Path(sys.argv[1]), 2)
moment = sys.argv[2]
rename, replace, rmtree, unlink = Path.rename, Path.replace, shutil.rmtree, Path.unlink
def die(): os.kill(os.getpid(), signal.SIGKILL)
def renamed(self, target):
    rename(self, target)
    if moment == "folder in place": die()
def replaced(self, target):
    if moment == "before the entry" and target.name.startswith("kept"): die()
    if moment == "before the manifest" and target.name == "manifest.json": die()
    replace(self, target)
    if moment == "after the manifest" and target.name == "manifest.json": die()
def unlinked(self, **kwargs):
    unlink(self, **kwargs)
    if moment == "entry removed" and self.name.startswith("kept"): die()
def removed(path, *args, **kwargs):
    if moment == "folder half removed" and not Path(path).name.startswith(".tmp"):
        unlink(Path(path) / "weights")
        die()
    rmtree(path, *args, **kwargs)
Path.rename, Path.replace, Path.unlink, shutil.rmtree = renamed, replaced, unlinked, removed
publish(store, "d")
"""
BEFORE, AFTER = ["c", "b"], ["d", "c"]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("folder in place", BEFORE),
        ("before the entry", BEFORE),
        ("before the manifest", BEFORE),
        ("after the manifest", AFTER),
        ("entry removed", AFTER),
        ("folder half removed", AFTER),
    ],
)
def test_a_kill_at_any_moment_leaves_whole_versions(tmp_path: Path, moment: str, expected: list[str]) -> None:
    store = store_keeping(tmp_path, 2)
    publish(store, "a", "b", "c")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), moment], check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    assert contents(store)[:2] == expected
    publish(store, "e")
    assert contents(store) == ["e", expected[0]]
    assert len(folders(store)) == 2
    assert not list(store.folder(NAME).glob(".tmp-*"))
