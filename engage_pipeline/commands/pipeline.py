"""Commands that make artifacts: run, status, backfill, register-parts, forget."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engage_pipeline.catalogue import ARTIFACTS, ancestry
from engage_pipeline.commands import documents
from engage_pipeline.commands.options import Config, Json, PresetName, Values, chosen_settings, open_pipeline
from engage_pipeline.errors import UserError
from engage_pipeline.model.network.launched import Launch, follow, leading, take_launch
from engage_pipeline.orchestration.history import has_instance, open_instance
from engage_pipeline.plurals import counted, meant

if TYPE_CHECKING:
    from engage_pipeline.orchestration.checks.failed_warnings import FailedWarnings
    from engage_pipeline.orchestration.resources import HeldPipeline
    from engage_pipeline.store.plan import Step
    from engage_pipeline.store.store import ArtifactStore


def run(
    config: Config = None,
    preset: PresetName = None,
    target: Annotated[list[str] | None, typer.Option(help="Only this asset and its inputs; may be repeated.")] = None,
    values: Values = None,
    json: Json = False,
) -> None:
    """Make every asset that is missing or out of date, from tweet_parts to submission, and show the scores.

    Below torchrun, on several machines, the first process does so, and the others train the networks with it.
    """
    targets = target or []
    for name in targets:
        if name not in ARTIFACTS:
            raise UserError(f"--target {name}: no such asset; {meant(name, ARTIFACTS)}")
    launch = take_launch()
    if launch is not None and launch.rank > 0:
        documents.discard()
        _follow(launch)
        return
    pipeline = open_pipeline(config, preset, values)
    with leading(launch, pipeline.settings()):
        _run(pipeline, targets)


def _follow(launch: Launch) -> None:
    from engage_pipeline.model.network.finetuning import finetune_share
    from engage_pipeline.model.network.pretraining import pretrain_share

    follow(launch, {"pretrained_network": pretrain_share, "finetuned_network": finetune_share})


def _run(pipeline: "HeldPipeline", targets: Sequence[str]) -> None:
    from engage_pipeline.model.promotion.predicting import lacks_model
    from engage_pipeline.orchestration.running import outcome, run_pipeline, summary

    wanted = set().union(*map(ancestry, targets)) if targets else ARTIFACTS.keys()
    made: list[Step] = []
    documents.put({"made": lambda: _shown(made)})
    with open_instance() as instance, _shown_warnings() as warnings:
        run_pipeline(pipeline, instance, wanted, warnings=warnings, made=made)
        missing = lacks_model(pipeline.store()) if "submission" in wanted else None
        documents.put(outcome(pipeline.store()) if not targets else {})
        if not targets:
            typer.echo(summary(pipeline.store(), made))
        elif made or missing is None:
            typer.echo(f"{counted(len(made), 'artifact')} made" if made else f"up to date: {', '.join(targets)}")
        if missing is not None:
            raise UserError(f"submission: {missing}")


def _shown(steps: "Sequence[Step]") -> list[dict[str, str | None]]:
    return [{"artifact": step.artifact, "part": step.key, "reason": step.reason} for step in steps]


def status(config: Config = None, preset: PresetName = None, values: Values = None, json: Json = False) -> None:
    """Show every artifact: rows, seconds, peak memory, and why it is out of date."""
    from engage_pipeline.commands.status_table import read_status, status_table
    from engage_pipeline.store.mirror.following import open_store

    store = open_store(chosen_settings(config, preset, values))
    found, warnings = read_status(store), _stored_warnings(store)
    artifacts = [{**asdict(state), "current": state.reason is None} for state in found.artifacts]
    documents.put({"artifacts": artifacts, "notes": [*found.notes], "warnings": warnings})
    for line in (status_table(found), *warnings):
        typer.echo(line)


def backfill(
    parts: Annotated[list[str] | None, typer.Argument(help="Names or patterns, such as 'part-0001?'.")] = None,
    asset: Annotated[str, typer.Option(help="tweet_parts or interaction_features.")] = "tweet_parts",
    config: Config = None,
    preset: PresetName = None,
    values: Values = None,
    json: Json = False,
) -> None:
    """Make chosen parts again, in few runs; without names, those that are missing, failed or out of date."""
    from engage_pipeline.orchestration.backfilling import backfill as backfill_parts

    pipeline = open_pipeline(config, preset, values)
    with open_instance() as instance, _shown_warnings() as warnings:
        done = backfill_parts(pipeline, instance, asset, parts or [], warnings)
        documents.put({"asset": asset, "made": _shown(done.steps), "runs": done.runs})
        documents.put({"failures": [*done.failures]})
        if done.failures:
            raise UserError("; ".join(done.failures))
        made = f"{counted(len(done.steps), 'part')} of {asset} made in {counted(done.runs, 'run')}"
        typer.echo(made if done.steps else f"{asset} is up to date")


def register_parts(
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the partitions of parts whose raw file is gone, too.")
    ] = False,
    config: Config = None,
    preset: PresetName = None,
    values: Values = None,
) -> None:
    """Add the parts found in `recsys_data` as partitions, so that the UI can materialize and backfill them."""
    from engage_pipeline.orchestration import partitions
    from engage_pipeline.store.plan import parts_with_files, training_parts

    settings = chosen_settings(config, preset, values)
    parts = training_parts(settings)
    with open_instance() as instance:
        added = partitions.register_parts(instance, parts)
        pruned = partitions.prune_parts(instance, parts_with_files(settings)) if prune else []
    there = len(parts) - len(added)
    were = "was" if there == 1 else "were"
    typer.echo(f"{counted(len(added), 'part')} added, {there:,} {were} there: {', '.join(parts)}")
    if prune:
        names = f": {', '.join(pruned)}" if pruned else ""
        typer.echo(f"{counted(len(pruned), 'part')} without a file removed{names}")


def forget(config: Config = None, preset: PresetName = None, values: Values = None) -> None:
    """Apply the lists of deleted tweets and users: rewrite parts with them, and remake the artifacts that follow."""
    from engage_pipeline.orchestration.automation.forget import forget as forget_deletions

    pipeline = open_pipeline(config, preset, values)
    with open_instance() as instance:
        outcome = forget_deletions(pipeline, instance)
    typer.echo(outcome.to_text())
    if outcome.problems:
        raise UserError(f"not all is forgotten: {'; '.join(outcome.problems)}")


@contextmanager
def _shown_warnings() -> Iterator["FailedWarnings"]:
    """Prints the warnings of checks when the block ends, also after an error."""
    from engage_pipeline.orchestration.checks.failed_warnings import FailedWarnings

    warnings = FailedWarnings()
    try:
        yield warnings
    finally:
        documents.put({"warnings": warnings.lines()})
        for line in warnings.lines():
            typer.echo(line)


def _stored_warnings(store: "ArtifactStore") -> list[str]:
    """Returns the warnings of the current versions, if Dagster has stored any; one line if they can't be read."""
    if not has_instance():
        return []
    from engage_pipeline.orchestration.checks.failed_warnings import stored_warnings

    try:
        with open_instance() as instance:
            return stored_warnings(store, instance).lines()
    except Exception as error:  # the table needs no Dagster
        return [f"the warnings of checks can't be read from Dagster: {' '.join(str(error).split())[:200]}"]
