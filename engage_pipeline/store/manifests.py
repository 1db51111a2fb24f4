"""What is known of one published version of an artifact, as its manifest.json holds it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from engage_pipeline.files import atomic

ABSENT = "absent"
"""The version of an input that was not there."""
_CHECKSUM = "sha256"
"""Of the other fields. Manifests of earlier versions of the program have none."""


@dataclass(frozen=True)
class Verdict:
    """What a version was held to before anyone used it: `problems` by rule, empty where it holds.

    `limits` are the settings that the rules went by; `compared` maps other artifacts to the versions it was compared
    with.
    """

    limits: dict[str, Any]
    compared: dict[str, str]
    problems: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """What is known of one published version of an artifact.

    `files` maps a file's name to its bytes and SHA-256; `inputs` maps `<artifact>` or `<artifact>/<part>` to the
    version that was read; `sources` are the raw files it was made of; `facts` are figures for people; `verdict` is None
    in manifests of earlier versions of the program.
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

    def to_json(self) -> str:
        """The content of manifest.json: the fields, and a checksum of them."""
        values = asdict(self)
        return json.dumps({**values, _CHECKSUM: _checksum(values)}, indent=1, ensure_ascii=False)


def label(name: str, key: str | None = None) -> str:
    """How an artifact is called in messages and manifests: `name` or `name/part`."""
    return name if key is None else f"{name}/{key}"


def split_label(text: str) -> tuple[str, str | None]:
    """The artifact and the part that `label` was made of."""
    name, _, key = text.partition("/")
    return name, key or None


_MANIFEST = TypeAdapter(Manifest)


def read_manifest(content: bytes, folder: Path) -> Manifest:
    """The manifest in the content of a file in the folder of an artifact.

    Raises ValueError where it holds none, was changed since it was written, is of another artifact, or names a file
    outside of its folder.
    """
    manifest = _MANIFEST.validate_json(content, strict=True)
    values = json.loads(content)
    checksum = values.pop(_CHECKSUM, None)
    if checksum is not None and checksum != _checksum(values):
        raise ValueError("changed since it was written")
    place = (folder.name, None) if manifest.key is None else (folder.parent.name, folder.name)
    if (manifest.artifact, manifest.key) != place:
        raise ValueError("of another artifact")
    names = [*manifest.files, manifest.directory, manifest.previous or manifest.directory]
    if not all(map(_is_file_name, [*names, *(source.name for source in manifest.sources)])):
        raise ValueError("a file outside its folder")
    return manifest


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _is_file_name(name: str) -> bool:
    return Path(name).name == name and name not in {"", ".", ".."} and "\0" not in name
