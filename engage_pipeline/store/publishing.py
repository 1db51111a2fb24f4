"""The one way in which a version becomes the current one: its files sealed, its folder renamed, its manifest replaced.

What does not belong here: what a manifest says (store.store, store.rewriting), and what happens to earlier
versions (store.kept_versions).
"""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engage_pipeline.catalogue import digest
from engage_pipeline.files import atomic
from engage_pipeline.store.manifests import Manifest

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Sealed:
    """A version whose files are on the disk: the hash of its content, the name its folder gets, when, and its files."""

    version: str
    directory: str
    created: str
    files: dict[str, atomic.Fingerprint]


def publish_version(
    folder: Path,
    draft: Path,
    describe: Callable[[Sealed], Manifest],
    before_the_switch: Callable[[], None] = lambda: None,
) -> Manifest:
    """Makes the files in the folder `draft` the current version of the artifact in `folder`; returns its manifest.

    `describe` gives the manifest; `before_the_switch` is called when the files are in place and the manifest is not
    replaced yet. A process that is killed leaves the version before or this one, whole; an error leaves the one before.
    """
    fingerprints = atomic.seal_folder(draft)
    version = digest({name: mark.sha256 for name, mark in fingerprints.items()})
    created = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = describe(Sealed(version, f"{version}-{uuid.uuid4().hex[:6]}", created, fingerprints))
    draft.rename(folder / manifest.directory)
    try:
        atomic.sync_folder(folder)
        before_the_switch()
        write_manifest(folder, manifest)
    except BaseException:
        if not _names(folder / MANIFEST, manifest):
            shutil.rmtree(folder / manifest.directory, ignore_errors=True)
        raise
    return manifest


def _names(path: Path, manifest: Manifest) -> bool:
    """Whether the file names the version of `manifest`: it may, although what came after the renaming failed."""
    return path.is_file() and path.read_text(encoding="utf-8", errors="replace") == manifest.to_json()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Names the current version of the artifact in `folder`: one rename."""
    with atomic.atomic_file(folder / MANIFEST) as path:
        path.write_text(manifest.to_json(), encoding="utf-8")
