"""Commands that make artifacts: run, status, backfill, register-parts, forget."""

from typing import Annotated

import typer

from engage_pipeline.catalogue import ARTIFACTS, ancestry
from engage_pipeline.commands.history import open_instance
from engage_pipeline.commands.options import Config, PresetName, open_pipeline
from engage_pipeline.config import load_settings
from engage_pipeline.errors import UserError


def run(
    config: Config = None,
    preset: PresetName = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Only this asset and what it is made of; may be repeated.")
    ] = None,
) -> None:
    """Make every asset that is missing or out of date, from tweet_parts to submission, and show the scores."""
    targets = target or []
    for name in targets:
        if name not in ARTIFACTS:
            raise UserError(f"--target {name}: no such asset; there are {', '.join(ARTIFACTS)}")
    from engage_pipeline.running import run_pipeline, summary

    pipeline = open_pipeline(config, preset)
    with open_instance() as instance:
        made = run_pipeline(pipeline, instance, set().union(*map(ancestry, targets)) if targets else ARTIFACTS)
    if not targets:
        typer.echo(summary(pipeline.store(), made))
    else:
        typer.echo(f"{len(made)} artifacts made" if made else f"up to date: {', '.join(targets)}")


def status(config: Config = None, preset: PresetName = None) -> None:
    """Show every artifact: rows, seconds, peak memory, and why it would be made again."""
    from engage_pipeline.artifacts import ArtifactStore
    from engage_pipeline.status import status_table

    typer.echo(status_table(ArtifactStore(load_settings(config, preset=preset))))


def backfill(
    parts: Annotated[list[str] | None, typer.Argument(help="Names or patterns, such as 'part-0001?'.")] = None,
    asset: Annotated[str, typer.Option(help="tweet_parts or interaction_features.")] = "tweet_parts",
    config: Config = None,
    preset: PresetName = None,
) -> None:
    """Make chosen parts again, in few runs; without names, those that are missing, failed or out of date."""
    from engage_pipeline.backfilling import backfill as backfill_parts

    pipeline = open_pipeline(config, preset)
    with open_instance() as instance:
        done = backfill_parts(pipeline, instance, asset, parts or [])
    if done.failures:
        raise UserError("; ".join(done.failures))
    typer.echo(
        f"{len(done.steps)} parts of {asset} made in {done.runs} runs" if done.steps else f"{asset} is up to date"
    )


def register_parts(config: Config = None, preset: PresetName = None) -> None:
    """Add the parts found in `recsys_data` as partitions, so that the UI can materialize and backfill them."""
    from engage_pipeline import partitions
    from engage_pipeline.plan import training_parts

    parts = training_parts(load_settings(config, preset=preset))
    with open_instance() as instance:
        added = partitions.register_parts(instance, parts)
    typer.echo(f"{len(added)} parts added, {len(parts) - len(added)} were there: {', '.join(parts)}")


def forget(config: Config = None, preset: PresetName = None) -> None:
    """Apply the lists of deleted tweets and users: rewrite the parts that hold them, make again what follows."""
    from engage_pipeline.automation.forget import forget as forget_deletions

    pipeline = open_pipeline(config, preset)
    with open_instance() as instance:
        outcome = forget_deletions(pipeline, instance)
    typer.echo(outcome.to_text())
    if outcome.problems:
        raise UserError(f"not all is forgotten: {'; '.join(outcome.problems)}")
