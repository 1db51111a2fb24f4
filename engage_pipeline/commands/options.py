"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engage_pipeline.orchestration.resources import Pipeline

Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: $ENGAGE_CONFIG, config.yaml].")]
PresetName = Annotated[str | None, typer.Option("--preset", help="synerise, default or demo; overrides the file's.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Cores to use [default: all].")]


def open_pipeline(config: Path | None, preset: str | None) -> "Pipeline":
    """Returns the settings as Dagster's resource. Raises UserError at once if they are wrong."""
    from engage_pipeline.orchestration.resources import Pipeline

    pipeline = Pipeline(config=str(config) if config else None, preset=preset)
    pipeline.settings()
    return pipeline
