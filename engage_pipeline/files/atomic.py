"""Writes files atomically, fingerprints and locks them: the mechanics below the artifact store."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline.errors import StoreError, UserError
from engage_pipeline.locations.location import Location, ObjectPath, fresh

_LOCK = ".lock"
_PAUSE = 0.05
"""Seconds between two looks at a lock that is held."""
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP}
"""Another file system, one without hard links, of another user's file, too many of them."""


@dataclass(frozen=True)
class Fingerprint:
    """Size in bytes and SHA-256 (hex) of a published file's content."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class SourceFile:
    """A raw file outside the store from which an artifact was made.

    `folder` is relative to the working directory, so that both can be moved together; of an object it is a URI. A file
    with the same size and modification time counts as unchanged, without reading it.
    """

    folder: str
    name: str
    bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Identity:
    """Inode, size in bytes and modification time (ns) of a file; replacing or writing it changes one of them. An object
    has a hash of its ETag for an inode."""

    inode: int
    bytes: int
    mtime_ns: int


_verified: dict[tuple[str, Identity], str] = {}
"""The SHA-256 of files that this process found undamaged."""


def sha256(path: Location) -> str:
    """Returns the SHA-256 of the file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_source(path: Location, root: Path) -> SourceFile:
    """Describes a raw file relative to the working directory `root`. Raises UserError if it can't be read."""
    try:
        status = fresh(path).stat()
        return SourceFile(
            relative_folder(path.parent, root), path.name, status.st_size, status.st_mtime_ns, sha256(path)
        )
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def identity(path: Location) -> Identity:
    """Returns the identity of a file now. Raises UserError if it does not exist."""
    try:
        return _identity(fresh(path))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


@contextmanager
def unchanged(path: Location, since: Identity) -> Iterator[None]:
    """Guards a block that reads the file `path`, whose identity was `since` before.

    Raises UserError if its identity is another one after the block, also if the block failed: the data, or the error,
    may come from two different files. Raises StoreError if its store can't be reached any more.
    """
    try:
        yield
    except Exception:
        _require_unchanged(path, since)
        raise
    _require_unchanged(path, since)


def _require_unchanged(path: Location, since: Identity) -> None:
    try:
        same = identity(path) == since
    except StoreError:
        raise
    except UserError:
        same = False
    if not same:
        raise UserError(f"{path}: replaced or changed while it was read; nothing of it was published, start again")


def relative_folder(folder: Location, root: Path) -> str:
    """Returns the path of `folder` relative to `root`, or its URI."""
    if isinstance(folder, ObjectPath):
        return str(folder)
    return os.path.relpath(folder.resolve(), root.resolve())


def sources_now(recorded: Sequence[SourceFile], paths: Sequence[Location], root: Path) -> list[SourceFile]:
    """Describes the current raw files relative to `root`.

    A file with the recorded size and time keeps its recorded hash; others are read. A file that was not recorded gets
    its place only: size 0 and no hash.
    """
    before = {(source.folder, source.name): source for source in recorded}
    found = []
    for path in paths:
        folder = relative_folder(path.parent, root)
        known = before.get((folder, path.name))
        if known is None:
            found.append(SourceFile(folder, path.name, 0, 0, ""))
            continue
        status = path.stat()
        same = (status.st_size, status.st_mtime_ns) == (known.bytes, known.mtime_ns)
        content = known.sha256 if same else sha256(path)
        found.append(SourceFile(folder, path.name, status.st_size, status.st_mtime_ns, content))
    return found


def damage(path: Path, expected: Fingerprint, *, hashed: bool = True) -> str | None:
    """Returns what is wrong with a published file, or None. Each file is read once per process; unless `hashed`, its
    size alone is compared."""
    try:
        found = _identity(path)
    except OSError as error:
        return error.strerror
    if found.bytes != expected.bytes:
        return f"damaged: {found.bytes} bytes instead of {expected.bytes}"
    if hashed and _verified.get((str(path), found)) != expected.sha256:
        if sha256(path) != expected.sha256:
            return "damaged: its SHA-256 differs from the manifest's"
        _verified[str(path), found] = expected.sha256
    return None


def note_undamaged(path: Path, expected: Fingerprint) -> None:
    """Notes that this process compared the SHA-256 of a file while it wrote it: `damage` need not read it again."""
    _verified[str(path), _identity(path)] = expected.sha256


def known_sha256(path: Path) -> str:
    """Returns the SHA-256 of the file's content, in hex; one that this process found undamaged is not read again."""
    return _verified.get((str(path), _identity(path))) or sha256(path)


def _identity(path: Location) -> Identity:
    status = path.stat()
    return Identity(status.st_ino, status.st_size, status.st_mtime_ns)


def share(source: Path, target: Path) -> None:
    """Makes `target` a second name of the published file `source`, or its copy where the file system makes none.

    This takes no room and no time, and nothing changes a published file: it is replaced or removed.
    """
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target)
    else:
        if (known := _verified.get((str(source), _identity(source)))) is not None:
            _verified[str(target), _identity(target)] = known


def seal_folder(folder: Path) -> dict[str, Fingerprint]:
    """Syncs every file of `folder` to disk; returns their fingerprints by name, sorted.

    Whoever may read the folder may read its files: libraries write some of them for this user alone. Those that are
    shared with a published folder are as that one's, and may be another user's.
    """
    fingerprints = {}
    mode = folder.stat().st_mode & 0o666
    for path in sorted(folder.iterdir()):
        if path.stat().st_nlink == 1:
            path.chmod(mode)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        fingerprints[path.name] = Fingerprint(path.stat().st_size, known_sha256(path))
    sync_folder(folder)
    return fingerprints


def sync_folder(folder: Path) -> None:
    """Makes renames in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Makes a temporary path beside `path` that replaces it when the block ends; removed if the block raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        yield temporary
        put_in_place(temporary, path)
    except OSError as error:
        if error.filename in {None, str(temporary)}:  # Arrow's errors name nothing
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Makes a folder `<prefix>…` below `parent`, removed at the end. Removes those of killed processes first."""
    parent.mkdir(parents=True, exist_ok=True)
    remove_unlocked(parent, prefix)
    # Locked under another name first: else another process could remove it as a leftover.
    draft = Path(tempfile.mkdtemp(prefix=".tmp-", dir=parent))
    with exclusive(draft / _LOCK, "in use"):
        folder = draft.rename(parent / f"{prefix}{uuid.uuid4().hex[:12]}")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_unlocked(parent: Path, prefix: str) -> None:
    """Removes the folders `<prefix>…` below `parent` that killed processes left."""
    for left in parent.glob(f"{prefix}*"):
        if (left / _LOCK).is_file():
            with suppress(UserError, FileNotFoundError), exclusive(left / _LOCK, "in use"):
                shutil.rmtree(left, ignore_errors=True)


def put_in_place(path: Path, target: Path) -> None:
    """Moves a finished file over `target` on the same file system; the result survives a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.replace(target)
    sync_folder(target.parent)


@contextmanager
def exclusive(path: Path, message: str, *, seconds: float = 0.0) -> Iterator[None]:
    """Holds the lock file `path`; the kernel frees it at the process's end. Raises UserError(message) if it is held,
    and stays so for `seconds`."""
    with path.open("a") as file:
        for left in range(round(seconds / _PAUSE), -1, -1):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if not left:
                    raise UserError(message) from error
                time.sleep(_PAUSE)
        yield
