"""Commands about data and settings: synthesize, rejects, settings."""

from pathlib import Path
from typing import Annotated

import typer

from engage_pipeline.commands.options import Config, PresetName, open_pipeline


def synthesize(
    out: Annotated[Path, typer.Option(help="Folder for train/, validation/, test/, labels and probabilities.")],
    rows: Annotated[int, typer.Option(help="Rows in all: training, validation and test.")] = 400_000,
    users: Annotated[int, typer.Option(help="Users of the synthetic world.")] = 40_000,
    parts: Annotated[int, typer.Option(help="Training parts.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed: the same arguments make the same bytes.")] = 1,
) -> None:
    """Make synthetic parts in the challenge's format, with test labels and the true probabilities."""
    from engage_pipeline.synthetic import synthesize as make_world

    make_world(out, rows=rows, users=users, parts=parts, seed=seed)


def rejects(
    part: Annotated[str, typer.Argument(help="Training part, validation_tweets, test_tweets or test_tweets/<part>.")],
    config: Config = None,
    preset: PresetName = None,
    limit: Annotated[int, typer.Option(min=1, help="The most lines to show.")] = 20,
) -> None:
    """Show the rejected lines of a part, also of a failed one: file, line, reason, bytes."""
    from engage_pipeline.ingest.rejects_shown import rejects_text

    for line in rejects_text(open_pipeline(config, preset).store(), part, limit):
        typer.echo(line)


def settings() -> None:
    """Print every setting with default and meaning, as Markdown."""
    from engage_pipeline.settings.reference_page import settings_markdown

    typer.echo(settings_markdown())
