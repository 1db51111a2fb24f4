"""Commands about data and settings: synthesize, rejects, path, settings."""

from pathlib import Path
from typing import Annotated

import typer

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.commands.options import Config, PresetName, Values, chosen_settings


def _artifacts(beginning: str) -> list[str]:
    """Completes the name of an artifact in a shell."""
    return [name for name in ARTIFACTS if name.startswith(beginning)]


def synthesize(
    out: Annotated[Path, typer.Option(help="Folder for train/, validation/, test/, labels and probabilities.")],
    rows: Annotated[int, typer.Option(help="Rows in all: training, validation and test.")] = 400_000,
    users: Annotated[int, typer.Option(help="Users of the synthetic world.")] = 40_000,
    parts: Annotated[int, typer.Option(help="Training parts, each of all days.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed: the same arguments make the same bytes.")] = 1,
    world: Annotated[str, typer.Option(help="What the world has: plain, drift, threads, network or all.")] = "plain",
    days: Annotated[
        int | None, typer.Option(help="Training days, each a part of its own with a 21st of the training rows.")
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Add the parts of the first --days days that the world in --out lacks.")
    ] = False,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Also write validation_truth.parquet and test_truth.parquet, with ids.")
    ] = False,
) -> None:
    """Make synthetic parts in the challenge's format, with test labels and the true probabilities."""
    from engage_pipeline.synthetic import recipe_named
    from engage_pipeline.synthetic import synthesize as make_world

    sizes = {"rows": rows, "users": users, "parts": parts, "seed": seed}
    make_world(out, **sizes, world=recipe_named(world), days=days, append=append, oracle=oracle)


def rejects(
    part: Annotated[str, typer.Argument(help="Training part, validation_tweets, test_tweets or test_tweets/<part>.")],
    config: Config = None,
    preset: PresetName = None,
    limit: Annotated[int, typer.Option(min=1, help="The most lines to show.")] = 20,
    values: Values = None,
) -> None:
    """Show the rejected lines of a part, also of a failed one: file, line, reason, bytes."""
    from engage_pipeline.ingest.rejects_shown import rejects_text
    from engage_pipeline.store.mirror.following import open_store

    for line in rejects_text(open_store(chosen_settings(config, preset, values)), part, limit):
        typer.echo(line)


def path(
    artifact: Annotated[str, typer.Argument(help="Artifact, as `engage status` names it.", autocompletion=_artifacts)],
    parts: Annotated[list[str] | None, typer.Argument(help="Parts [default: all].")] = None,
    files: Annotated[
        bool, typer.Option("--files", help="Print files: those of the artifact's table, or all if it is no table.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read every file to compare its SHA-256.")] = False,
    config: Config = None,
    preset: PresetName = None,
    values: Values = None,
) -> None:
    """Print the folder of an artifact's current version, one line for each part, if it passed its checks.

    docs/data.md shows how to read the files in pandas, Polars and DuckDB.
    """
    from engage_pipeline.store.mirror.following import open_store
    from engage_pipeline.store.opening import current_paths

    store = open_store(chosen_settings(config, preset, values))
    for found in current_paths(store, artifact, parts or [], files=files, verify=verify):
        typer.echo(found)


def settings(
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a settings file instead.")] = False,
) -> None:
    """Print every setting with default and meaning, as Markdown."""
    from engage_pipeline.settings.reference_page import settings_markdown
    from engage_pipeline.settings.schema_file import settings_schema

    typer.echo(settings_schema() if schema else settings_markdown())
