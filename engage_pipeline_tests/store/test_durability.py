"""What survives a power cut: data is on the disk before the name that makes it count. No error undoes a publication.

A child process notes, in their order, what it syncs, and what it renames to what.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline_tests.samples import bare_store, tiny_settings
from engage_pipeline_tests.store.test_store import FILE, publish

NOTED = """
import json, os, sys
from pathlib import Path
root, moment = Path(sys.argv[1]), sys.argv[2]
events, armed = [], False
sync, rename, replace = os.fsync, os.rename, os.replace
def name(path): return os.path.relpath(path, root)
def fail(what):
    if moment == what and armed:
        raise KeyboardInterrupt
def synced(descriptor):
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    after = events[-1][-1] if events and events[-1][0] == "rename" else ""
    if after and not after.endswith(".json"): fail("before the folder of the files is synced")
    sync(descriptor)
    events.append(["sync", name(path)])
    if after.endswith("manifest.json"): fail("after the folder of the manifest is synced")
def renamed(real):
    def moved(source, target, **options):
        if Path(target).name == "manifest.json": fail("before the manifest is renamed")
        real(source, target, **options)
        events.append(["rename", name(source), name(target)])
        if Path(target).name == "manifest.json": fail("after the manifest is renamed")
    return moved
os.fsync, os.rename, os.replace = synced, renamed(rename), renamed(replace)
from engage_pipeline.files import atomic
from engage_pipeline_tests.store.test_store import publish
from engage_pipeline_tests.store.test_kept_versions import store_keeping
store = store_keeping(root, 3)
try:
    exec(sys.argv[3])
finally:
    print(json.dumps(events))
"""
Event = list[str]


def noted(root: Path, program: str, moment: str = "never") -> tuple[list[Event], int]:
    """What `program` syncs and renames below `root`, and its exit status."""
    done = subprocess.run(
        [sys.executable, "-c", NOTED, str(root), moment, program], capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout.splitlines()[-1]), done.returncode


def place(events: list[Event], *event: str) -> int:
    """The number of an event, which happens once."""
    found = [number for number, one in enumerate(events) if one == list(event)]
    assert len(found) == 1, (event, events)
    return found[0]


def renames(events: list[Event], target: str) -> tuple[int, str]:
    """The number of the renaming to `target`, and what was renamed."""
    ((number, source),) = [(n, one[1]) for n, one in enumerate(events) if one[0] == "rename" and one[2] == target]
    return number, source


PUBLISHING = """
with store.publish("test_tweets") as draft:
    for file in ("one", "two"):
        draft.path(file).write_bytes(b"1")
"""


def test_a_version_reaches_the_disk_before_its_name_does(tmp_path: Path) -> None:
    events, status = noted(tmp_path, PUBLISHING)
    assert status == 0
    store = bare_store(tiny_settings(tmp_path))
    folder = str(store.folder("test_tweets").relative_to(tmp_path))
    directory = f"{folder}/{store.open('test_tweets').manifest.directory}"
    in_place, draft = renames(events, directory)
    switched, manifest = renames(events, f"{folder}/manifest.json")
    files = [place(events, "sync", f"{draft}/{name}") for name in ("one", "two")]
    assert max(files) < place(events, "sync", draft) < in_place
    folder_syncs = [number for number, event in enumerate(events) if event == ["sync", folder]]
    assert any(in_place < number < switched for number in folder_syncs), (
        "the folder's name may be lost, the manifest not"
    )
    assert in_place < place(events, "sync", manifest) < switched
    assert any(number > switched for number in folder_syncs), "the publication may be lost"


def test_an_entry_of_a_kept_version_reaches_the_disk_before_the_version_is_replaced(tmp_path: Path) -> None:
    events, _ = noted(
        tmp_path, "publish(store, 'trained_model', b'a'); events.clear(); publish(store, 'trained_model', b'b')"
    )
    folder = str(bare_store(tiny_settings(tmp_path)).folder("trained_model").relative_to(tmp_path))
    entered, entry = renames(events, f"{folder}/kept-00000001.json")
    switched, _ = renames(events, f"{folder}/manifest.json")
    assert place(events, "sync", entry) < entered < switched
    assert any(entered < number < switched for number, event in enumerate(events) if event == ["sync", folder])


def test_a_file_is_put_in_place_after_its_content_is_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "draft").write_bytes(b"new")
    (tmp_path / "results.csv").write_bytes(b"old")
    events, _ = noted(tmp_path, "atomic.put_in_place(root / 'draft', root / 'results.csv')")
    assert events == [["sync", "draft"], ["rename", "draft", "results.csv"], ["sync", "."]]
    assert (tmp_path / "results.csv").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("moment", "content"),
    [
        ("before the folder of the files is synced", b"old"),
        ("before the manifest is renamed", b"old"),
        ("after the manifest is renamed", b"new"),
        ("after the folder of the manifest is synced", b"new"),
    ],
)
def test_an_error_at_any_moment_leaves_one_whole_version(tmp_path: Path, moment: str, content: bytes) -> None:
    """Such as Ctrl-C: once the manifest names the new version, its files must not be taken away."""
    store = bare_store(tiny_settings(tmp_path))
    publish(store, "test_tweets", b"old")
    _, status = noted(tmp_path, "armed = True; publish(store, 'test_tweets', b'new')", moment)
    assert status != 0
    assert store.open("test_tweets").path(FILE).read_bytes() == content
    folders = {path.name for path in store.folder("test_tweets").iterdir() if is_version_folder(path)}
    manifest = store.open("test_tweets").manifest
    assert folders <= {manifest.directory, manifest.previous}
    publish(store, "test_tweets", b"next")
    assert store.open("test_tweets").path(FILE).read_bytes() == b"next"


def test_a_first_publication_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    _, status = noted(tmp_path, "armed = True; publish(store, 'test_tweets', b'new')", "before the manifest is renamed")
    assert status in {130, -2}, "it ends as by Ctrl-C, not by an error of its own"
    store = bare_store(tiny_settings(tmp_path))
    assert store.manifest("test_tweets") is None
    assert [path.name for path in store.folder("test_tweets").iterdir() if is_version_folder(path)] == []
