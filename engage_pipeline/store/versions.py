"""A version of an artifact: a draft that is being written, or a published version; and the interface of readers."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engage_pipeline.files import atomic
from engage_pipeline.locations.location import Location, ObjectPath
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.file_names import tweets_beside
from engage_pipeline.store.manifests import Manifest, VersionError, label
from engage_pipeline.store.mirror.files import fetch_file

_MISSING = os.strerror(errno.ENOENT)


@dataclass
class Draft:
    """A version being written. Set `rows` and record facts; publication sets `manifest`.

    `facts` are the recorded figures, as the manifest will hold them. Set `inputs` only if the version is made of other
    input versions than those found when the draft was opened.
    """

    directory: Path
    rows: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] | None = None
    manifest: Manifest | None = None

    def path(self, name: str) -> Path:
        """Returns the path to write the file `name` of this version to."""
        return self.directory / name

    def record(self, facts: Facts, *, rows: int | None = None) -> None:
        """Adds figures to those recorded before, and sets `rows` if given."""
        self.facts |= facts.model_dump()
        self.rows = self.rows if rows is None else rows


@dataclass(frozen=True)
class Version:
    """A published version, open for reading.

    `mirror` is the folder of the artifact in the mirror, if there is one: a file that is missing or damaged here is
    fetched from it.
    """

    folder: Path
    manifest: Manifest
    mirror: ObjectPath | None = None

    def path(self, name: str, *, hashed: bool = True) -> Path:
        """Returns the path of the file `name`. Raises UserError naming file and asset if it is missing or damaged.

        So it does for the tweets beside a file of features, which are read with it. Unless `hashed`, the files are not
        read: damage that leaves their size is not noticed.
        """
        if (beside := tweets_beside(name)) in self.manifest.files:
            self._checked(beside, hashed=hashed)
        return self._checked(name, hashed=hashed)

    def _checked(self, name: str, *, hashed: bool) -> Path:
        path = self._path(name)
        problem: str | None = "no such file in its manifest"
        if name in self.manifest.files:
            problem = atomic.damage(path, self.manifest.files[name], hashed=hashed)
        if problem and self.mirror is not None and name in self.manifest.files:
            fetch_file(self.mirror / f"{self.manifest.directory}/{name}", path, self.manifest.files[name])
        elif problem:
            made = label(self.manifest.artifact, self.manifest.key)
            raise VersionError(f"{path}: {problem}; materialize {made} again", self.manifest)
        return path

    def lost(self) -> str | None:
        """Returns which file is missing or has another size, in words; None if there is none, or a mirror to fetch it
        from. No file is read."""
        if self.mirror is not None:
            return None
        for name, mark in self.manifest.files.items():
            if problem := atomic.damage(self._path(name), mark, hashed=False):
                return f"{name} is missing" if problem == _MISSING else f"{name}: {problem}"
        return None

    def unread(self, name: str) -> Location:
        """Returns where the file `name` is, here or in the mirror, unchecked: for reading the footer of a file."""
        path = self._path(name)
        here = self.mirror is None or path.exists()
        return path if here or self.mirror is None else self.mirror / f"{self.manifest.directory}/{name}"

    def _path(self, name: str) -> Path:
        return self.folder / self.manifest.directory / name

    def directory(self, files: Sequence[str] | None = None, *, hashed: bool = True) -> Path:
        """Returns the folder of the version. Raises UserError if one of `files` (None = all) is missing or damaged."""
        for name in self.manifest.files if files is None else files:
            self.path(name, hashed=hashed)
        return self.folder / self.manifest.directory


class Reader(Protocol):
    """The part of the store that rules may use: its published versions."""

    settings: Settings

    def folder(self, name: str, key: str | None = None) -> Path:
        """Returns the folder of an artifact, or of one part of it."""
        ...

    def parts(self) -> list[str]:
        """Returns the names of the ingested training parts, sorted."""
        ...

    def readable_parts(self) -> list[str]:
        """Returns the same, without parts whose manifest is damaged."""
        ...

    def parts_of(self, name: str) -> list[str]:
        """Returns the parts that the unpartitioned artifact `name` is made of."""
        ...

    def manifest(self, name: str, key: str | None = None) -> Manifest | None:
        """Reads the current version's manifest; None if nothing is published. Raises UserError if it is unreadable."""
        ...

    def version(self, manifest: Manifest) -> Version:
        """Returns the version of a manifest, whatever its verdict."""
        ...

    def current(self, name: str, key: str | None = None) -> Version | None:
        """Returns the current version; None if there is none that is readable and passes its rules."""
        ...

    def kept(self, name: str, key: str | None = None) -> list[Version]:
        """Returns the kept versions, the latest first."""
        ...

    def open(self, name: str, key: str | None = None) -> Version:
        """Opens the current version. Raises UserError if there is none that may be used."""
        ...
