"""The published versions of an asset, as checks read them: manifests and small files."""

from collections.abc import Iterator
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.store.store import ArtifactStore, Manifest


def versions(store: ArtifactStore, asset: str) -> Iterator[Manifest]:
    """Yields the manifests of all training parts, or of the one artifact, that the current code version published.

    An older version may lack figures or files, and will be made again anyway.
    """
    keys: list[str] | list[None] = store.parts() if ARTIFACTS[asset].partitioned else [None]
    for key in keys:
        manifest = store.manifest(asset, key)
        if manifest and manifest.code_version == ARTIFACTS[asset].code_version:
            yield manifest


def small_file(store: ArtifactStore, manifest: Manifest, name: str) -> Path:
    """Returns the path of a small file of this version, checked by its hash."""
    return store.version(manifest).path(name)
