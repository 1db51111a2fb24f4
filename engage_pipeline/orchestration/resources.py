"""The resource of the assets: the settings, read anew for each step, and their store."""

from pathlib import Path

import dagster as dg

from engage_pipeline.settings.settings import Settings, load_settings
from engage_pipeline.store.store import ArtifactStore


class Pipeline(dg.ConfigurableResource):
    """The settings of this deployment.

    `config` names the YAML file; without it $ENGAGE_CONFIG, then ./config.yaml is read. `preset` overrides the file's.
    """

    config: str | None = None
    preset: str | None = None

    def settings(self) -> Settings:
        """Reads the current settings. Raises UserError naming the problem."""
        return load_settings(Path(self.config) if self.config else None, preset=self.preset)

    def store(self) -> ArtifactStore:
        """Returns the store of the artifacts under these settings."""
        return ArtifactStore(self.settings())
