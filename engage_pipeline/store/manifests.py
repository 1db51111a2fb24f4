"""The manifest of a published version of an artifact, and its file manifest.json."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.store.file_names import tweets_beside

ABSENT = "absent"
"""The version of a missing input."""
_CHECKSUM = "sha256"
"""The field with the checksum of the others. Manifests of earlier versions of the program lack it."""


@dataclass(frozen=True)
class Verdict:
    """The result of a version's rules: `problems` by rule, an empty text if the rule is satisfied.

    `limits`: the settings that the rules used. `compared`: the versions of other artifacts with which it was compared.
    """

    limits: dict[str, Any]
    compared: dict[str, str]
    problems: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """The description of one published version of an artifact.

    `files` maps a file's name to its bytes and SHA-256. `inputs` maps `<artifact>` or `<artifact>/<part>` to the
    version that was read. `sources`: the raw files that were read. `facts`: figures about the content. `verdict` is
    None in manifests of earlier versions of the program.
    """

    artifact: str
    key: str | None
    version: str
    directory: str
    previous: str | None
    created: str
    code_version: str
    rows: int | None
    settings: dict[str, Any]
    inputs: dict[str, str]
    sources: list[atomic.SourceFile]
    files: dict[str, atomic.Fingerprint]
    facts: dict[str, Any]
    verdict: Verdict | None = None

    @property
    def own_bytes(self) -> int:
        """Bytes of its files, without the tweets beside features: a second name takes no room."""
        beside = {*map(tweets_beside, self.files)}
        return sum(mark.bytes for name, mark in self.files.items() if name not in beside)

    def to_json(self) -> str:
        """Returns the content of manifest.json: the fields and their checksum."""
        values = asdict(self)
        return _text(values, _checksum(values))


class VersionError(UserError):
    """Something of one version is missing or damaged: a file, or a fact of its manifest."""

    def __init__(self, message: str, manifest: Manifest) -> None:
        """`message` is the line to show, `manifest` that of the version."""
        self.directory = manifest.directory
        super().__init__(message)


def label(name: str, key: str | None = None) -> str:
    """Returns the name of an artifact or part in messages and manifests: `name` or `name/part`."""
    return name if key is None else f"{name}/{key}"


def split_label(text: str) -> tuple[str, str | None]:
    """Splits a `label` into the artifact and the part."""
    name, _, key = text.partition("/")
    return name, key or None


_MANIFEST = TypeAdapter(Manifest)
_KEPT = 1024


@lru_cache(_KEPT)
def read_manifest(content: bytes, folder: Path) -> Manifest:
    """Parses the content of a manifest file in the folder of an artifact; what it returns must not be changed.

    Those parsed last are kept: a run reads each some thirty times. Raises ValueError if it is not a manifest, was
    changed since it was written, belongs to another artifact, or names a file outside its folder.
    """
    manifest = _MANIFEST.validate_json(content, strict=True)
    values = json.loads(content)
    checksum = values.pop(_CHECKSUM, None)
    if not values.keys() <= {one.name for one in fields(Manifest)}:
        raise ValueError("an unknown field")
    if checksum is not None and (checksum != _checksum(values) or _text(values, checksum).encode() != content):
        raise ValueError("changed since it was written")
    place = (folder.name, None) if manifest.key is None else (folder.parent.name, folder.name)
    if (manifest.artifact, manifest.key) != place:
        raise ValueError("of another artifact")
    names = [*manifest.files, manifest.directory, manifest.previous or manifest.directory]
    if not all(map(_is_file_name, [*names, *(source.name for source in manifest.sources)])):
        raise ValueError("a file outside its folder")
    return manifest


def _text(values: Mapping[str, Any], checksum: str) -> str:
    return json.dumps({**values, _CHECKSUM: checksum}, indent=1, ensure_ascii=False)


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _is_file_name(name: str) -> bool:
    return Path(name).name == name and name not in {"", ".", ".."} and "\0" not in name
