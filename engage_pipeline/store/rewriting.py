"""A published version is replaced for good: rewritten without some of its rows, or removed.

The store keeps the version before the current one for readers that opened it. Here nothing is kept: whoever still
reads an old version is told that its file is gone. What does not belong here: what is to be removed (ingest).
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.publishing import MANIFEST, Sealed, publish_version, write_manifest
from engage_pipeline.store.store import ArtifactStore, Draft, Version


def keys_on_disk(store: ArtifactStore, name: str) -> list[str | None]:
    """The parts of an artifact that have a folder, whatever the settings say of them, sorted; [None] without parts."""
    if not ARTIFACTS[name].partitioned:
        return [None]
    base = store.root / ARTIFACTS[name].stage.value / name
    return [*sorted(path.name for path in base.iterdir() if path.is_dir())] if base.is_dir() else []


@contextmanager
def rewrite(store: ArtifactStore, name: str, key: str | None = None) -> Iterator[tuple[Version, Draft]]:
    """The current version and a draft that takes its place, made of that version alone.

    The new manifest keeps settings, code version, inputs and raw files of the old one. Older versions and the
    workspace go. Raises UserError where there is nothing published, or another process is making the artifact.
    """
    folder = store.folder(name, key)
    with _locked(store, name, key):
        before = store.manifest(name, key)
        if before is None:
            raise UserError(f"{label(name, key)} is not there: nothing to rewrite")
        draft = Draft(folder / f".tmp-{uuid4().hex[:12]}", facts=dict(before.facts))
        draft.directory.mkdir()
        try:
            yield Version(folder, before), draft
            draft.manifest = _seal(store, folder, before, draft)
        finally:
            shutil.rmtree(draft.directory, ignore_errors=True)
        _clear(folder, draft.manifest)


def note_facts(store: ArtifactStore, version: Version, facts: Facts) -> None:
    """Adds `facts` to the manifest of `version`, if it is the current one still."""
    manifest = version.manifest
    with _locked(store, manifest.artifact, manifest.key):
        current = store.manifest(manifest.artifact, manifest.key)
        if current is not None and current.directory == manifest.directory:
            write_manifest(version.folder, replace(current, facts={**current.facts, **facts.model_dump()}))


def purge(store: ArtifactStore, name: str, key: str | None = None) -> None:
    """Removes every version but the current one, and the workspace. Raises UserError where the artifact is locked."""
    if store.folder(name, key).is_dir():
        with _locked(store, name, key):
            _clear(store.folder(name, key), store.manifest(name, key))


def remove_workspace(store: ArtifactStore, name: str) -> None:
    """Removes what a killed run would go on from. Raises UserError where the artifact is locked."""
    with _locked(store, name, None):
        for path in store.folder(name).glob(".work-*"):
            shutil.rmtree(path)


def remove(store: ArtifactStore, name: str, key: str | None = None) -> None:
    """Unpublishes the artifact and removes all of its versions. Raises UserError where it is locked."""
    folder = store.folder(name, key)
    with _locked(store, name, key):
        (folder / MANIFEST).unlink(missing_ok=True)
        _clear(folder, None)


def _locked(store: ArtifactStore, name: str, key: str | None) -> Any:
    return atomic.exclusive(store.folder(name, key) / ".lock", f"another run is making {label(name, key)}")


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
    """Removes all but the version of `manifest`; temporary files too, for nobody else holds the lock."""
    for path in folder.iterdir():
        if path.is_dir() and (manifest is None or path.name != manifest.directory):
            shutil.rmtree(path)
        elif path.name.startswith(".tmp-"):
            path.unlink()
