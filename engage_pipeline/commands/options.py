"""Options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engage_pipeline.commands import documents
from engage_pipeline.locations.location import location
from engage_pipeline.settings.overrides import from_arguments
from engage_pipeline.settings.settings import Settings, load_settings

if TYPE_CHECKING:
    from engage_pipeline.orchestration.resources import HeldPipeline

Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: $ENGAGE_CONFIG, config.yaml].")]
PresetName = Annotated[str | None, typer.Option("--preset", help="synerise, default or demo; overrides the file's.")]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One setting, such as network.hidden_size=128; may be repeated. Overrides file, preset and the variables "
        "ENGAGE__SECTION__KEY.",
    ),
]
A_LOCATION: dict[str, Any] = {"parser": location}
"""Of an argument that is a location: a Path, as it is annotated, or an ObjectPath, if it is a URI."""
Threads = Annotated[int | None, typer.Option(min=1, help="Cores to use [default: all].")]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        callback=documents.wanted,
        is_eager=True,
        help="Print one JSON document instead of text (docs/operations.md), and all else on standard error.",
    ),
]


def chosen_settings(config: Path | None, preset: str | None, values: Sequence[str] | None) -> Settings:
    """Returns the settings that the options name. Raises UserError if they are wrong."""
    return load_settings(config, preset=preset, overrides=from_arguments(values or []))


def open_pipeline(config: Path | None, preset: str | None, values: Sequence[str] | None) -> "HeldPipeline":
    """Returns the settings as Dagster's resource, for runs of this command. Raises UserError at once if they are
    wrong."""
    from engage_pipeline.orchestration.resources import HeldPipeline, require_schedule

    settings = chosen_settings(config, preset, values)
    require_schedule(settings.automation.nightly_cron)
    return HeldPipeline(settings)
