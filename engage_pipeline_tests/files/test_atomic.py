"""Files on disk: replaced whole or not at all, scratch folders of living and of killed processes, damage noticed."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import (
    Fingerprint,
    atomic_file,
    damage,
    describe_source,
    exclusive,
    known_sha256,
    remove_unlocked,
    scratch_folder,
    seal_folder,
    sha256,
    share,
    sources_now,
)
from engage_pipeline.store.staleness import changed_source

MEMORY = Path("/dev", "shm")
"""A folder on another file system than all others."""
DYING = """
import os, signal, sys
from pathlib import Path
from engage_pipeline.files.atomic import scratch_folder
with scratch_folder(Path(sys.argv[1]), ".spill-") as folder:
    (folder / "block").write_bytes(b"1")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_the_block_ends_and_never_when_it_raises(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "results.csv"
    with atomic_file(path) as draft:
        draft.write_bytes(b"one")
        assert not path.exists()
        assert draft.parent == path.parent
    assert path.read_bytes() == b"one"
    with pytest.raises(RuntimeError), atomic_file(path) as draft:
        draft.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"one"
    assert names(path.parent) == ["results.csv"]


def test_a_scratch_folder_is_removed_at_the_end_also_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), scratch_folder(tmp_path, ".spill-") as folder:
        (folder / "block").write_bytes(b"1")
        assert folder.name.startswith(".spill-")
        raise RuntimeError
    assert names(tmp_path) == []


def test_the_scratch_folder_of_a_killed_process_is_swept_by_the_next_and_that_of_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    killed = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    (left,) = names(tmp_path)
    with scratch_folder(tmp_path, ".spill-") as folder:
        assert names(tmp_path) == [folder.name]
        assert folder.name != left
        (folder / "block").write_bytes(b"1")
        with scratch_folder(tmp_path, ".spill-") as second:
            assert names(tmp_path) == sorted([folder.name, second.name])
        remove_unlocked(tmp_path, ".spill-")
        assert (folder / "block").read_bytes() == b"1"
    assert names(tmp_path) == []


def test_a_folder_of_the_user_s_that_is_called_alike_stays(tmp_path: Path) -> None:
    (tmp_path / ".spill-mine").mkdir()
    remove_unlocked(tmp_path, ".spill-")
    assert names(tmp_path) == [".spill-mine"]


def test_a_folder_that_its_owner_removes_at_the_same_time_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(path: Path, message: str) -> AbstractContextManager[None]:
        shutil.rmtree(path.parent)
        return exclusive(path, message)

    (tmp_path / ".spill-1").mkdir()
    (tmp_path / ".spill-1" / ".lock").touch()
    monkeypatch.setattr("engage_pipeline.files.atomic.exclusive", late)
    remove_unlocked(tmp_path, ".spill-")
    assert names(tmp_path) == []


def test_one_holds_a_lock_at_a_time(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", "in use"),
        pytest.raises(UserError, match="in use"),
        exclusive(tmp_path / "lock", "in use"),
    ):
        pass
    with exclusive(tmp_path / "lock", "in use"):
        pass


@pytest.mark.parametrize("content", [b"abcdX", b"Xbcde", b"abcdef", b"abcd", b""])
def test_a_file_that_was_undamaged_before_is_looked_at_again_when_it_changed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"abcde")
    published = Fingerprint(5, sha256(path))
    assert damage(path, published) is None
    path.unlink()
    assert damage(path, published) == "No such file or directory"
    path.write_bytes(content)
    assert str(damage(path, published)).startswith("damaged: ")
    path.write_bytes(b"abcde")
    assert damage(path, published) is None


def test_a_file_that_was_found_undamaged_is_not_read_again_for_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"abcde")
    at = path.stat()
    published = Fingerprint(5, sha256(path))
    assert known_sha256(path) == published.sha256
    path.write_bytes(b"abcdX")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert known_sha256(path) == sha256(path)  # no one found it undamaged
    path.write_bytes(b"abcde")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert damage(path, published) is None
    path.write_bytes(b"abcdX")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert known_sha256(path) == published.sha256
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns + 1))
    assert known_sha256(path) == sha256(path)


def test_a_raw_file_is_unchanged_while_its_content_is_whatever_its_time(tmp_path: Path) -> None:
    path = tmp_path / "raw" / "part-00000"
    path.parent.mkdir()
    path.write_bytes(b"rows")
    recorded = [describe_source(path, tmp_path)]
    assert (recorded[0].folder, recorded[0].name, recorded[0].bytes) == ("raw", "part-00000", 4)
    assert changed_source(recorded, sources_now(recorded, [path], tmp_path)) is None
    os.utime(path, ns=(1, 1))
    assert changed_source(recorded, sources_now(recorded, [path], tmp_path)) is None
    path.write_bytes(b"ROWS")
    assert changed_source(recorded, sources_now(recorded, [path], tmp_path)) == "part-00000 was replaced"
    for others in ([], [path, path], [tmp_path / "part-00000"]):
        assert changed_source(recorded, sources_now(recorded, others, tmp_path)) == "other raw files"
    with pytest.raises(UserError, match="no part: No such file"):
        describe_source(tmp_path / "no part", tmp_path)


@pytest.mark.parametrize(("folder_mode", "expected"), [(0o755, 0o644), (0o775, 0o664), (0o700, 0o600)])
def test_who_may_read_a_sealed_folder_may_read_its_files(tmp_path: Path, folder_mode: int, expected: int) -> None:
    """safetensors writes files that only this user may read, whatever the umask."""
    folder = tmp_path / "draft"
    folder.mkdir()
    folder.chmod(folder_mode)
    for name, mode in (("weights", 0o600), ("table", 0o644)):
        (folder / name).write_bytes(b"x")
        (folder / name).chmod(mode)
    assert seal_folder(folder).keys() == {"weights", "table"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {expected}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file of a folder that is sealed, of mode 640, in a process that found it undamaged."""
    folder = tmp_path / "published"
    folder.mkdir(mode=0o750)
    (folder / "table").write_bytes(b"abcde")
    (folder / "table").chmod(0o600)
    assert damage(folder / "table", seal_folder(folder)["table"]) is None
    return folder / "table"


def test_a_shared_file_takes_no_room_and_outlives_its_first_name(published: Path, tmp_path: Path) -> None:
    share(published, tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_blocks == published.stat().st_blocks
    assert (tmp_path / "shared").samefile(published)
    published.unlink()
    assert (tmp_path / "shared").read_bytes() == b"abcde"


def test_a_shared_file_keeps_the_mode_of_the_folder_that_it_was_published_in(published: Path, tmp_path: Path) -> None:
    """It may be another user's, whose mode this one must not change."""
    draft = tmp_path / "draft"
    draft.mkdir(mode=0o700)
    share(published, draft / "table")
    (draft / "own").write_bytes(b"x")
    assert seal_folder(draft)["table"] == Fingerprint(5, sha256(published))
    assert {path.name: path.stat().st_mode & 0o777 for path in draft.iterdir()} == {"own": 0o600, "table": 0o640}


def test_what_is_known_of_a_file_is_known_of_its_second_name(published: Path, tmp_path: Path) -> None:
    at, known = published.stat(), sha256(published)
    share(published, tmp_path / "shared")
    published.write_bytes(b"abcdX")
    os.utime(published, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert known_sha256(tmp_path / "shared") == known  # not read again
    os.utime(published, ns=(at.st_atime_ns, at.st_mtime_ns + 1))
    assert known_sha256(tmp_path / "shared") == sha256(published) != known


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
def test_where_no_second_name_can_be_made_a_file_is_copied(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*names: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    share(published, tmp_path / "shared")
    assert not (tmp_path / "shared").samefile(published)
    assert (tmp_path / "shared").read_bytes() == b"abcde"


def test_a_file_of_another_file_system_is_copied(published: Path) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as other:
        assert Path(other).stat().st_dev != published.stat().st_dev
        share(published, Path(other) / "copy")
        assert (Path(other) / "copy").read_bytes() == b"abcde"
        assert (Path(other) / "copy").stat().st_nlink == 1


def test_a_file_is_not_shared_in_the_place_of_another(published: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        share(published, tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == b"kept"
