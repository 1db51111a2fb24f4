"""Replaces a published version for good: rewrites it without some of its rows, or removes it.

Unlike publication, which keeps the version before the current one for readers that opened it, this keeps nothing: a
reader of an old version gets an error that its file is gone. What does not belong here: what to remove (ingest).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from engage_pipeline.errors import UserError
from engage_pipeline.store import kept_versions
from engage_pipeline.store.current_link import is_version_folder, point_to
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.publishing import MANIFEST, Sealed, publish_version, write_manifest
from engage_pipeline.store.store import ArtifactStore, Draft, Version


@contextmanager
def rewrite(store: ArtifactStore, name: str, key: str | None = None) -> Iterator[tuple[Version, Draft]]:
    """Yields the current version and a draft that replaces it, to be made of that version only.

    The new manifest keeps settings, code version, inputs and raw files of the old one. Older versions and the workspace
    are removed. Raises UserError if nothing is published, or if another process is making the artifact.
    """
    folder = store.folder(name, key)
    with store.changing(name, key):
        before = store.manifest(name, key)
        if before is None:
            raise UserError(f"{label(name, key)} is not there: nothing to rewrite")
        draft = Draft(folder / f".tmp-{uuid4().hex[:12]}", facts=dict(before.facts))
        draft.directory.mkdir()
        try:
            yield store.version(before), draft
            draft.manifest = _seal(store, folder, before, draft)
        finally:
            shutil.rmtree(draft.directory, ignore_errors=True)
        _clear(folder, draft.manifest)


def note_facts(store: ArtifactStore, version: Version, facts: Facts) -> None:
    """Adds `facts` to the manifest of `version`, if it is still the current one."""
    manifest = version.manifest
    with store.changing(manifest.artifact, manifest.key):
        current = store.manifest(manifest.artifact, manifest.key)
        if current is not None and current.directory == manifest.directory:
            write_manifest(version.folder, replace(current, facts={**current.facts, **facts.model_dump()}))


def purge(store: ArtifactStore, name: str, key: str | None = None) -> None:
    """Removes every version but the current one, and the workspace. Raises UserError if the artifact is locked."""
    if store.folder(name, key).is_dir():
        with store.changing(name, key):
            _clear(store.folder(name, key), store.manifest(name, key))


def remove_workspace(store: ArtifactStore, name: str) -> None:
    """Removes the checkpoints that a killed run would continue from. Raises UserError if the artifact is locked."""
    with store.changing(name):
        for path in store.folder(name).glob(".work-*"):
            shutil.rmtree(path)


def remove(store: ArtifactStore, name: str, key: str | None = None) -> None:
    """Unpublishes the artifact and removes all of its versions. Raises UserError if it is locked."""
    folder = store.folder(name, key)
    with store.changing(name, key):
        point_to(folder, None)
        (folder / MANIFEST).unlink(missing_ok=True)
        _clear(folder, None)


def _seal(store: ArtifactStore, folder: Path, before: Manifest, draft: Draft) -> Manifest:
    def describe(sealed: Sealed) -> Manifest:
        manifest = replace(
            before,
            version=sealed.version,
            directory=sealed.directory,
            previous=None,
            created=sealed.created,
            rows=draft.rows,
            files=sealed.files,
            facts=json.loads(json.dumps(draft.facts)),
        )
        return store.judged(manifest, draft)

    return publish_version(folder, draft.directory, describe)


def _clear(folder: Path, manifest: Manifest | None) -> None:
    """Removes all but the version of `manifest`, including temporary files: this process holds the lock."""
    point_to(folder, manifest)
    kept_versions.forget_all(folder, manifest)
    for path in folder.iterdir():
        if is_version_folder(path) and (manifest is None or path.name != manifest.directory):
            shutil.rmtree(path)
        elif path.name.startswith(".tmp-"):
            path.unlink()
