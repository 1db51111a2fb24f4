"""Publishes a version: seals its files, renames its folder, replaces the manifest, moves the link `current`.

What does not belong here: the content of a manifest (store.store, store.rewriting), and earlier versions
(store.kept_versions).
"""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engage_pipeline.catalogue import digest
from engage_pipeline.files import atomic
from engage_pipeline.store import current_link
from engage_pipeline.store.file_names import DESCRIPTIONS
from engage_pipeline.store.manifests import Manifest

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Sealed:
    """A version whose files are synced to disk: content hash, name of its folder, time (ISO 8601, UTC), files.

    The hash is that of all files but file_names.DESCRIPTIONS.
    """

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

    `describe` makes the manifest; `before_the_switch` is called when the files are in place but the manifest is not yet
    replaced. A killed process leaves the previous version or this one, whole; an error leaves the previous one.
    """
    fingerprints = atomic.seal_folder(draft)
    content = {name: mark.sha256 for name, mark in fingerprints.items() if name not in DESCRIPTIONS}
    version = digest(content)
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
    """Returns whether the file holds `manifest`: it may, even if a step after the rename failed."""
    return path.is_file() and path.read_text(encoding="utf-8", errors="replace") == manifest.to_json()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Makes `manifest` the current one of the artifact in `folder`, by one rename; then moves the link `current`."""
    with atomic.atomic_file(folder / MANIFEST) as path:
        path.write_text(manifest.to_json(), encoding="utf-8")
    current_link.point_to(folder, manifest)
