"""The link `current`: the version of the manifest, or for a moment the one before; never half a version, never a bad
one."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.store.current_link import CURRENT, LATEST
from engage_pipeline.store.rewriting import purge, remove, rewrite
from engage_pipeline.store.rules import Outcome, rule
from engage_pipeline.store.store import ArtifactStore, Version
from engage_pipeline_tests.samples import bare_store, tiny_settings

NAME = "test_tweets"
FILES = ("one", "two")


def publish(store: ArtifactStore, content: str, name: str = NAME, files: tuple[str, ...] = FILES) -> None:
    with store.publish(name) as draft:
        for file in files:
            draft.path(file).write_text(content, encoding="utf-8")


def linked(store: ArtifactStore) -> str:
    """What a reader of the link finds, in both files."""
    folder = (store.folder(NAME) / CURRENT).resolve(strict=True)
    (content,) = {(folder / file).read_text(encoding="utf-8") for file in FILES}
    return content


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return bare_store(tiny_settings(tmp_path))


DYING = """
import sys
from pathlib import Path
from engage_pipeline_tests.dying import kill_before
from engage_pipeline_tests.store.test_current_link import *
store = bare_store(tiny_settings(Path(sys.argv[1])))
kill_before(sys.argv[2], sys.argv[3])
exec(sys.argv[4])
"""
REWRITING = "with rewrite(store, NAME) as (_, draft): [draft.path(file).write_text('new') for file in FILES]"


def killed_before(event: str, pattern: str, program: str, root: Path) -> None:
    """Runs `program` until it is killed before the file event `event` on a path like `pattern`."""
    done = subprocess.run([sys.executable, "-c", DYING, str(root), event, pattern, program], check=False)
    assert done.returncode == -signal.SIGKILL


def test_the_link_names_the_current_version(store: ArtifactStore) -> None:
    for content in ("a", "b", "c"):
        publish(store, content)
        assert linked(store) == content
        assert (store.folder(NAME) / CURRENT).readlink() == Path(store.open(NAME).manifest.directory)


def test_a_part_has_its_own(store: ArtifactStore) -> None:
    for key in ("part-00000", "part-00001"):
        with store.publish("interaction_features", key) as draft:
            draft.path("features.parquet").write_text(key, encoding="utf-8")
    found = sorted((store.root / "interactions" / "interaction_features").glob(f"*/{CURRENT}/features.parquet"))
    assert [path.read_text(encoding="utf-8") for path in found] == ["part-00000", "part-00001"]


@pytest.mark.parametrize(
    ("event", "pattern"), [("os.symlink", "*-??????"), ("os.rename", f"*/{CURRENT}")], ids=["before it", "half made"]
)
def test_a_kill_between_manifest_and_link_leaves_the_version_before(
    store: ArtifactStore, tmp_path: Path, event: str, pattern: str
) -> None:
    publish(store, "old")
    killed_before(event, pattern, "publish(store, 'new')", tmp_path)
    assert store.open(NAME).path("one").read_text(encoding="utf-8") == "new"
    assert linked(store) == "old"
    store.stale(NAME)
    assert linked(store) == "new", "the next plan or status moves it"
    publish(store, "next")
    assert linked(store) == "next"
    assert not list(store.folder(NAME).glob(".tmp-*"))


def test_after_such_a_kill_the_next_publication_moves_the_link_too(store: ArtifactStore, tmp_path: Path) -> None:
    publish(store, "old")
    killed_before("os.rename", f"*/{CURRENT}", "publish(store, 'new')", tmp_path)
    publish(store, "next")
    assert linked(store) == "next"
    assert not list(store.folder(NAME).glob(".tmp-*"))


def test_a_kill_before_the_manifest_leaves_link_and_manifest_as_they_were(store: ArtifactStore, tmp_path: Path) -> None:
    publish(store, "old")
    killed_before("os.rename", "*/manifest.json", "publish(store, 'new')", tmp_path)
    assert linked(store) == store.open(NAME).path("one").read_text(encoding="utf-8") == "old"


def test_a_rewritten_version_is_named_before_the_deleted_rows_go(store: ArtifactStore, tmp_path: Path) -> None:
    publish(store, "old")
    killed_before("os.rename", f"*/{CURRENT}", REWRITING, tmp_path)
    assert linked(store) == "old"
    purge(store, NAME)
    assert linked(store) == "new"
    with rewrite(store, NAME) as (_, draft):
        for file in FILES:
            draft.path(file).write_text("newer", encoding="utf-8")
    assert linked(store) == "newer"


def test_a_removed_artifact_loses_the_link_first(store: ArtifactStore, tmp_path: Path) -> None:
    publish(store, "old")
    killed_before("os.remove", "*/manifest.json", "remove(store, NAME)", tmp_path)
    assert not os.path.lexists(store.folder(NAME) / CURRENT)
    assert store.manifest(NAME) is not None
    remove(store, NAME)
    assert [path.name for path in store.folder(NAME).iterdir()] == [".lock"]


@rule("")
def short(store: ArtifactStore, version: Version) -> Outcome:
    """At most as many characters as the limit says."""
    length = len(version.path("one").read_text(encoding="utf-8"))
    return Outcome("too long" if length > store.settings.checks.drift_psi else "", {})


def test_a_version_that_failed_a_check_is_not_named(tmp_path: Path) -> None:
    strict, lenient = (bare_store(tiny_settings(tmp_path, checks={"drift_psi": most}), short) for most in (1.0, 9.0))
    publish(strict, "a")
    publish(strict, "bad")
    assert not os.path.lexists(strict.folder(NAME) / CURRENT)
    assert lenient.open(NAME).path("one").read_text(encoding="utf-8") == "bad"
    assert linked(lenient) == "bad", "other limits, another verdict"
    assert strict.stale(NAME)
    assert not os.path.lexists(strict.folder(NAME) / CURRENT)


def test_a_copy_instead_of_the_link_is_replaced(store: ArtifactStore) -> None:
    publish(store, "old")
    link = store.folder(NAME) / CURRENT
    folder = link.resolve()
    link.unlink()
    shutil.copytree(folder, link)
    publish(store, "new")
    assert linked(store) == "new"
    assert link.is_symlink()


def test_without_links_it_is_published_all_the_same(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    publish(store, "new")
    assert store.open(NAME).path("one").read_text(encoding="utf-8") == "new"
    assert f"{store.folder(NAME) / CURRENT}: no link to the current version: Operation not permitted" in caplog.text


def test_results_and_report_have_a_place_of_their_own(store: ArtifactStore) -> None:
    for content in ("a", "b"):
        publish(store, content, "submission", ("results.csv",))
        publish(store, content, "evaluation", ("report.html", "scores.json"))
        latest = store.root / LATEST
        assert sorted(path.name for path in latest.iterdir()) == ["report.html", "results.csv"]
        assert {path.read_text(encoding="utf-8") for path in latest.iterdir()} == {content}


def test_a_latest_file_that_the_version_lacks_has_no_link(store: ArtifactStore) -> None:
    card = store.root / LATEST / "model-card.md"
    publish(store, "one", "trained_model", ("model-card.md",))
    assert card.read_text(encoding="utf-8") == "one"
    publish(store, "no model", "trained_model", ("no_model.json",))
    assert not card.is_symlink()
    publish(store, "two", "trained_model", ("model-card.md", "blend.json"))
    assert card.read_text(encoding="utf-8") == "two"


READER = """
import sys
from pathlib import Path
from engage_pipeline_tests.store.test_current_link import *
store, seen = bare_store(tiny_settings(Path(sys.argv[1]))), set()
print("ready", flush=True)
while seen != {"last"}:
    try:
        now = linked(store)
    except FileNotFoundError:  # replaced twice since the link was followed
        continue
    seen = {now} if now == "last" else seen | {now}
"""


def test_a_reader_of_the_link_never_sees_a_mixture(store: ArtifactStore, tmp_path: Path) -> None:
    publish(store, "first")
    with subprocess.Popen([sys.executable, "-c", READER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        for number in range(100):
            publish(store, str(number))
        publish(store, "last")
        assert reader.wait(60) == 0
