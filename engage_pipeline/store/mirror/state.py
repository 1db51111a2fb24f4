"""The state of an artifact's folder: what one commit of the mirror holds, and what a working directory knows of it.

    working_dir/<stage>/<artifact>[/<part>]/.mirror.json    the commit that this folder follows (Record)

What does not belong here: the objects of the mirror (commits, files).
"""

import json
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engage_pipeline.catalogue import digest
from engage_pipeline.files import atomic
from engage_pipeline.store import current_link, kept_versions
from engage_pipeline.store.manifests import Manifest, read_manifest
from engage_pipeline.store.publishing import MANIFEST, write_manifest

_RECORD = ".mirror.json"
_CHECKSUM = "sha256"


@dataclass(frozen=True)
class State:
    """What the folder of an artifact or part holds: the current manifest (None = unpublished), the manifests of kept
    versions, the latest first, and the names of the version folders that are kept, sorted."""

    manifest: Manifest | None
    kept: tuple[Manifest, ...]
    folders: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A hash of the state without verdicts: each machine judges by its own limits."""
        manifests = [one and asdict(replace(one, verdict=None)) for one in (self.manifest, *self.kept)]
        return str(digest([manifests, self.folders]))

    @property
    def version(self) -> str | None:
        """The current version; None = unpublished."""
        return self.manifest.version if self.manifest else None

    def is_younger(self, than: "State") -> bool:
        """Returns whether the current version was made later than that of another state."""
        if self.manifest is None or than.manifest is None:
            return False
        return self.manifest.created > than.manifest.created

    @property
    def versions(self) -> list[Manifest]:
        """The versions whose files a reader may need: the current one and the kept ones."""
        return [one for one in (self.manifest, *self.kept) if one is not None]

    def to_json(self) -> bytes:
        """Returns the content of a commit, with a checksum."""
        values = {
            "manifest": self.manifest and self.manifest.to_json(),
            "kept": [one.to_json() for one in self.kept],
            "folders": list(self.folders),
        }
        return json.dumps({**values, _CHECKSUM: digest(values)}, indent=1).encode()


NOTHING = State(None, (), ())
"""The state of an artifact that was unpublished."""


@dataclass(frozen=True)
class Commit:
    """A commit that was read: its name and what it holds."""

    name: str
    state: State


def read_state(content: bytes, folder: Path) -> State:
    """Parses the content of a commit of the artifact in `folder`. Raises ValueError if it is not one, was damaged, or
    names a file outside the folder."""
    values: Any = json.loads(content)
    if not isinstance(values, dict) or values.pop(_CHECKSUM, None) != digest(values):
        raise ValueError("changed since it was written")
    try:
        current, kept, folders = values["manifest"], values["kept"], values["folders"]
        manifests = [read_manifest(text.encode(), folder) for text in ([] if current is None else [current]) + kept]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a commit") from error
    state = State(manifests.pop(0) if current is not None else None, tuple(manifests), tuple(folders))
    if not set(state.folders) <= {name for one in state.versions for name in (one.directory, one.previous)}:
        raise ValueError("a folder of no version")
    return state


def state_of(folder: Path) -> State | None:
    """Returns the state of the folder of an artifact on this machine; None if its manifest is missing or damaged."""
    try:
        manifest = read_manifest((folder / MANIFEST).read_bytes(), folder)
    except (OSError, ValueError):
        return None
    kept = tuple(kept_versions.kept_manifests(folder, manifest.version, here=False))
    folders = {manifest.directory, *(one.directory for one in kept)}
    if manifest.previous is not None and current_link.is_version_folder(folder / manifest.previous):
        folders.add(manifest.previous)
    return State(manifest, kept, tuple(sorted(folders)))


def put_in_place(folder: Path, state: State) -> None:
    """Makes `folder` hold `state`, with folders of versions whose files may be missing."""
    kept = {*state.folders, *(one.directory for one in state.versions)}
    for version in state.versions:
        _make_folder(folder, version)
    for name in state.folders:
        (folder / name).mkdir(parents=True, exist_ok=True)
    kept_versions.replace_entries(folder, state.kept)
    if state.manifest is None:
        current_link.point_to(folder, None)
        (folder / MANIFEST).unlink(missing_ok=True)
    elif not _is_current(folder, state.manifest):
        write_manifest(folder, state.manifest)
    for path in folder.iterdir() if folder.is_dir() else []:
        if current_link.is_version_folder(path) and path.name not in kept and not path.name.startswith("."):
            shutil.rmtree(path)


def _is_current(folder: Path, manifest: Manifest) -> bool:
    """Returns whether the folder has this manifest, apart from the verdict, which each machine gives by itself."""
    own = state_of(folder)
    if own is None or own.manifest is None:
        return False
    return replace(own.manifest, verdict=None) == replace(manifest, verdict=None)


def _make_folder(folder: Path, version: Manifest) -> None:
    """Makes the folder of a version; with the files of another one of the same content, if there is one."""
    target = folder / version.directory
    if target.is_dir():
        return
    target.mkdir(parents=True)
    for other in folder.glob(f"{version.version}-*"):
        for name, mark in version.files.items():
            if atomic.damage(other / name, mark, hashed=False) is None and not (target / name).exists():
                atomic.share(other / name, target / name)


@dataclass(frozen=True)
class Record:
    """What a working directory knows of the mirror of one artifact or part.

    `mirror` is the URI; `commit` the name of the commit that the folder followed or made last, `state` the digest of
    its state; `lost` the name of a later one that is gone from the mirror, so that the next one gets a higher
    generation; `pruned` says whether what it no longer needs was removed; `flag` is the name of a flag that this folder
    has raised and may have left.
    """

    mirror: str
    commit: str | None = None
    state: str | None = None
    lost: str | None = None
    pruned: bool = True
    flag: str | None = None

    @property
    def last(self) -> str | None:
        """The last commit that the folder had, whether it is gone or not; None = none."""
        return max(filter(None, (self.commit, self.lost)), default=None)


def read_record(folder: Path, mirror: str) -> Record:
    """Returns the record of `folder`; an empty one if it has none, or one of another mirror."""
    with suppress(OSError, ValueError, TypeError):
        record = Record(**json.loads((folder / _RECORD).read_bytes()))
        if record.mirror == mirror:
            return record
    return Record(mirror)


def write_record(folder: Path, record: Record) -> None:
    """Replaces the record of `folder`."""
    with atomic.atomic_file(folder / _RECORD) as path:
        path.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
