"""A version of an artifact: as a draft that is being written, and published, open for reading; and who reads them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest, label


@dataclass
class Draft:
    """A version being written. Set `rows` and record facts; after publication `manifest` tells what was published.

    `facts` are what was recorded, as its manifest will hold it.

    `inputs` are set where the version was made of other input versions than those found when the draft was opened.
    """

    directory: Path
    rows: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] | None = None
    manifest: Manifest | None = None

    def path(self, name: str) -> Path:
        """Where the file `name` of this version is to be written."""
        return self.directory / name

    def record(self, facts: Facts, *, rows: int | None = None) -> None:
        """Adds figures to those that were recorded before, and sets `rows` where they are given."""
        self.facts |= facts.model_dump()
        self.rows = self.rows if rows is None else rows


@dataclass(frozen=True)
class Version:
    """A published version, open for reading."""

    folder: Path
    manifest: Manifest

    def path(self, name: str) -> Path:
        """The undamaged file `name`. Raises UserError naming the file and the asset to materialize again."""
        path = self.folder / self.manifest.directory / name
        problem: str | None = "no such file in its manifest"
        if name in self.manifest.files:
            problem = atomic.damage(path, self.manifest.files[name])
        if problem:
            raise UserError(f"{path}: {problem}; materialize {label(self.manifest.artifact, self.manifest.key)} again")
        return path

    def unread(self, name: str) -> Path:
        """The file `name`, not hashed: for a look at its footer, where the whole would take minutes."""
        return self.folder / self.manifest.directory / name

    def directory(self) -> Path:
        """The folder of the version, every file of it checked."""
        for name in self.manifest.files:
            self.path(name)
        return self.folder / self.manifest.directory


class Reader(Protocol):
    """What rules may ask of the ArtifactStore: the versions that are published."""

    settings: Settings

    def folder(self, name: str, key: str | None = None) -> Path:
        """The folder of an artifact, or of one part of it."""
        ...

    def parts(self) -> list[str]:
        """Names of the ingested training parts, sorted."""
        ...

    def parts_of(self, name: str) -> list[str]:
        """The parts that the unpartitioned artifact `name` is made of."""
        ...

    def manifest(self, name: str, key: str | None = None) -> Manifest | None:
        """The manifest of the current version; None where nothing is published. Raises UserError if unreadable."""
        ...

    def current(self, name: str, key: str | None = None) -> Version | None:
        """The current version; None where none can be read and passes its rules."""
        ...

    def kept(self, name: str, key: str | None = None) -> list[Version]:
        """Earlier versions to return to, the latest first."""
        ...

    def open(self, name: str, key: str | None = None) -> Version:
        """The current version. Raises UserError where there is none that may be used."""
        ...
