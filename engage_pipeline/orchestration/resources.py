"""What the assets are given: the settings, read anew for each step, and the store under them."""

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
        """The settings as the file says now. Raises UserError naming what is wrong with it."""
        return load_settings(Path(self.config) if self.config else None, preset=self.preset)

    def store(self) -> ArtifactStore:
        """The artifacts under these settings."""
        return ArtifactStore(self.settings())
