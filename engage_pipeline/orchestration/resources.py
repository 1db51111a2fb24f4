"""The resource of the assets: the settings, read anew for each step or held for a whole run, and their store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from engage_pipeline.errors import UserError
from engage_pipeline.settings.overrides import from_mapping
from engage_pipeline.settings.settings import Settings, load_settings
from engage_pipeline.settings.yaml_file import shown
from engage_pipeline.store.mirror.following import open_store
from engage_pipeline.store.store import ArtifactStore


class Pipeline(dg.ConfigurableResource):
    """The settings of this deployment; what the launchpad says under `resources: pipeline: config:` is for its run."""

    config: str | None = Field(
        default=None, description="Settings file; without it $ENGAGE_CONFIG, then ./config.yaml is read."
    )
    preset: str | None = Field(default=None, description="The preset, in place of the file's.")
    overrides: dict[str, Any] = Field(
        default_factory=dict,
        description="Single settings over file, environment and preset, shaped like the file: "
        "`network: {hidden_size: 128}`, or with dots: `network.hidden_size: 128`.",
    )

    def settings(self) -> Settings:
        """Reads the current settings. Raises UserError naming the problem."""
        path = Path(self.config) if self.config else None
        overrides = from_mapping(self.overrides, "overrides of the resource pipeline")
        settings = load_settings(path, preset=self.preset, overrides=overrides)
        require_schedule(settings.automation.nightly_cron)
        return settings

    def store(self) -> ArtifactStore:
        """Returns the store of the artifacts under these settings."""
        return open_store(self.settings())

    def held(self) -> "HeldPipeline":
        """Reads the settings now, for runs in this process. Raises UserError naming the problem."""
        return HeldPipeline(self.settings())


def require_schedule(cron: str) -> None:
    """Raises UserError unless Dagster can read `cron`: what it can't read keeps it from loading the definitions."""
    try:
        dg.ScheduleDefinition(job_name="any", cron_schedule=cron)
    except dg.DagsterInvalidDefinitionError as error:
        raise UserError(f"automation.nightly_cron: {shown(cron)} is no cron schedule that can be") from error


@dataclass(frozen=True)
class HeldPipeline:
    """The same resource for runs in this process: a change of config.yaml takes effect after them."""

    loaded: Settings

    def settings(self) -> Settings:
        """Returns the settings that the run started with."""
        return self.loaded

    def store(self) -> ArtifactStore:
        """Returns the store of the artifacts under these settings."""
        return open_store(self.loaded)

    def held(self) -> "HeldPipeline":
        """Returns the same."""
        return self


AnyPipeline = Pipeline | HeldPipeline
"""What can plan and execute runs."""
