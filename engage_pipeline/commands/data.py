"""Commands about data and settings: synthesize, settings."""

from pathlib import Path
from typing import Annotated

import typer


def synthesize(
    out: Annotated[Path, typer.Option(help="Folder that gets train/, validation/, test/ and the truth beside them.")],
    rows: Annotated[int, typer.Option(help="Rows in all: training, validation and test.")] = 400_000,
    users: Annotated[int, typer.Option(help="Users of the synthetic world.")] = 40_000,
    parts: Annotated[int, typer.Option(help="Training parts.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed: the same arguments make the same bytes.")] = 1,
) -> None:
    """Make synthetic parts in the challenge's format, with test labels and the true probabilities."""
    from engage_pipeline.synthetic import synthesize as make_world

    make_world(out, rows=rows, users=users, parts=parts, seed=seed)


def settings() -> None:
    """Print every setting with default and meaning, as Markdown."""
    from engage_pipeline.settings_reference import settings_markdown

    typer.echo(settings_markdown())
