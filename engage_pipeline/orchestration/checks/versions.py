"""What is published of an asset with or without parts, as checks read it: manifests, footers and small files."""

from collections.abc import Iterator
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.store.store import ArtifactStore, Manifest, Version


def versions(store: ArtifactStore, asset: str) -> Iterator[Manifest]:
    """The manifests of every part of the training set, or of the one artifact, that the code of today published.

    An older version may lack figures or files, and is to be made again anyway.
    """
    keys: list[str] | list[None] = store.parts() if ARTIFACTS[asset].partitioned else [None]
    for key in keys:
        manifest = store.manifest(asset, key)
        if manifest and manifest.code_version == ARTIFACTS[asset].code_version:
            yield manifest


def small_file(store: ArtifactStore, manifest: Manifest, name: str) -> Path:
    """A file of this version, hashed whole: for small ones."""
    return Version(store.folder(manifest.artifact, manifest.key), manifest).path(name)
