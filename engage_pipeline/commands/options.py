"""What several commands share: their options, and the Dagster instance they work on."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engage_pipeline.errors import UserError

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from engage_pipeline.resources import Pipeline

Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: $ENGAGE_CONFIG, config.yaml].")]
PresetName = Annotated[str | None, typer.Option("--preset", help="synerise, default or demo; overrides the file's.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Cores to use [default: all].")]


def open_pipeline(config: Path | None, preset: str | None) -> "Pipeline":
    """The settings as Dagster's resource. Raises UserError at once where they are wrong."""
    from engage_pipeline.resources import Pipeline

    pipeline = Pipeline(config=str(config) if config else None, preset=preset)
    pipeline.settings()
    return pipeline


def has_instance() -> bool:
    """Whether there is an instance that `open_instance` would open."""
    return bool(os.environ.get("DAGSTER_HOME")) or Path("dagster.yaml").is_file()


def open_instance() -> "DagsterInstance":
    """The instance of $DAGSTER_HOME, else of the current folder where it holds a dagster.yaml."""
    from dagster import DagsterInstance

    if not os.environ.get("DAGSTER_HOME"):
        if not Path("dagster.yaml").is_file():
            raise UserError("DAGSTER_HOME is not set, and the current folder holds no dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(Path.cwd())
    return DagsterInstance.get()
