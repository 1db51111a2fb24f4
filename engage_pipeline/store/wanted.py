"""What a version would be made of now: settings, input versions and raw files, for `staleness.why_stale`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engage_pipeline.catalogue import ARTIFACTS, Artifact, default_settings, relevant_settings
from engage_pipeline.files.atomic import SourceFile, sources_now
from engage_pipeline.locations.location import Location
from engage_pipeline.store import promoted_counters
from engage_pipeline.store.manifests import ABSENT, Manifest, label
from engage_pipeline.store.versions import Reader


@dataclass(frozen=True)
class WantedNow:
    """What the version of `made` would be made of now, from the raw files `paths` (staleness.Wanted).

    `failures` returns the problems that the rules find in the version.
    """

    store: Reader
    made: Manifest
    paths: Sequence[Location]
    failures: Callable[[], str]

    @property
    def code_version(self) -> str:
        """The code version of the artifact now."""
        return ARTIFACTS[self.made.artifact].code_version

    @property
    def lost(self) -> str | None:
        """The first file of the version that is missing or cut, in words; None if there is none."""
        return self.store.version(self.made).lost()

    @property
    def problems(self) -> str:
        """The problems that the rules find in the version, in one line; empty if there are none."""
        return self.failures()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the artifact depends on, by name."""
        return relevant_settings(self.made.artifact, self.store.settings)

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of these settings."""
        return default_settings(self.made.artifact)

    @property
    def inputs(self) -> dict[str, str]:
        """The current versions of its inputs, by label."""
        return input_versions(self.store, ARTIFACTS[self.made.artifact], self.made.key)

    @property
    def sources(self) -> list[SourceFile]:
        """The raw files as they are on disk now."""
        return sources_now(self.made.sources, self.paths, self.store.settings.working_dir)

    @property
    def counters(self) -> dict[str, str]:
        """The versions of the counters that the model that predicts reads; empty for all artifacts but submission."""
        return promoted_counters.read_now(self.store, self.made.artifact)


def input_versions(store: Reader, artifact: Artifact, key: str | None) -> dict[str, str]:
    """Returns the current versions of the inputs of `artifact`, or of its part `key`, by label; ABSENT if missing."""
    versions = {}
    for name in artifact.inputs:
        keys: Sequence[str | None] = [None]
        if ARTIFACTS[name].partitioned:
            keys = [key] if artifact.partitioned else store.parts_of(artifact.name)
        for input_key in keys:
            manifest = store.manifest(name, input_key)
            versions[label(name, input_key)] = manifest.version if manifest else ABSENT
    return versions
