"""Machines with a working directory each, that share nothing but a bucket."""

from collections.abc import Mapping
from pathlib import Path

from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.mirror.following import follow_mirror
from engage_pipeline.store.rules import Rule
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.samples import bare_store, tiny_settings

FILE = "rows.parquet"


class Machines:
    """Makes settings and stores of machines by name; their working directories are below `folder`."""

    def __init__(self, folder: Path, mirror: str) -> None:
        self.mirror = mirror
        self.folder = folder

    def settings(self, name: str, **values: object) -> Settings:
        """The settings of a machine."""
        shared = {"recsys_data": str(self.folder / "raw"), "mirror": self.mirror}
        return tiny_settings(self.folder / name, **{**shared, **values})

    def store(self, name: str, *rules: Rule, **values: object) -> ArtifactStore:
        """The store of a machine, which followed the mirror."""
        store = bare_store(self.settings(name, **values), *rules)
        follow_mirror(store)
        return store


def publish(store: ArtifactStore, name: str, content: bytes | Mapping[str, bytes], key: str | None = None) -> Manifest:
    """Publishes an artifact of these bytes; returns its manifest."""
    files = {FILE: content} if isinstance(content, bytes) else content
    with store.publish(name, key) as draft:
        for file, its in files.items():
            draft.path(file).write_bytes(its)
        draft.rows = len(files)
    assert draft.manifest is not None
    return draft.manifest
