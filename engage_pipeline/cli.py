"""The command `engage`. Each command is a thin shell over one library call; a user's mistake is one line, no trace.

Heavy imports stand inside the commands: `engage --help` loads neither Dagster nor torch.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engage_pipeline.catalogue import ARTIFACTS, ancestry
from engage_pipeline.config import load_settings
from engage_pipeline.errors import UserError

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from engage_pipeline.manifests import Manifest

app = typer.Typer(
    help="Predicts how people engage with tweets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[Path | None, typer.Option("--config", help="Settings file [default: $ENGAGE_CONFIG, config.yaml].")]
PresetName = Annotated[str | None, typer.Option("--preset", help="synerise, default or demo; overrides the file's.")]


@app.command()
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


@app.command()
def run(
    config: Config = None,
    preset: PresetName = None,
    target: Annotated[str | None, typer.Option(help="Only this asset and what it is made of.")] = None,
) -> None:
    """Make every asset that is missing or out of date, from tweet_parts to submission, and show the scores."""
    if target is not None and target not in ARTIFACTS:
        raise UserError(f"--target {target}: no such asset; there are {', '.join(ARTIFACTS)}")
    from engage_pipeline.resources import Pipeline
    from engage_pipeline.running import run_pipeline, summary

    pipeline = Pipeline(config=str(config) if config else None, preset=preset)
    pipeline.settings()
    with _instance() as instance:
        made = run_pipeline(pipeline, instance, ARTIFACTS if target is None else ancestry(target))
    if target is None:
        typer.echo(summary(pipeline.store(), made))
    else:
        typer.echo(f"{len(made)} artifacts made" if made else f"{target} is up to date")


@app.command()
def status(config: Config = None, preset: PresetName = None) -> None:
    """Show every artifact: rows, seconds, peak memory, and why it would be made again."""
    from engage_pipeline.artifacts import ArtifactStore
    from engage_pipeline.status import status_table

    typer.echo(status_table(ArtifactStore(load_settings(config, preset=preset))))


@app.command()
def backfill(
    parts: Annotated[list[str] | None, typer.Argument(help="Names or patterns, such as 'part-0001?'.")] = None,
    asset: Annotated[str, typer.Option(help="tweet_parts or interaction_features.")] = "tweet_parts",
    config: Config = None,
    preset: PresetName = None,
) -> None:
    """Make chosen parts again, in few runs; without names, those that are missing, failed or out of date."""
    from engage_pipeline.backfilling import backfill as backfill_parts
    from engage_pipeline.resources import Pipeline

    pipeline = Pipeline(config=str(config) if config else None, preset=preset)
    with _instance() as instance:
        done = backfill_parts(pipeline, instance, asset, parts or [])
    if done.failures:
        raise UserError("; ".join(done.failures))
    typer.echo(
        f"{len(done.steps)} parts of {asset} made in {done.runs} runs" if done.steps else f"{asset} is up to date"
    )


@app.command()
def register_parts(config: Config = None, preset: PresetName = None) -> None:
    """Add the parts found in `recsys_data` as partitions, so that the UI can materialize and backfill them."""
    from engage_pipeline import partitions
    from engage_pipeline.plan import training_parts

    parts = training_parts(load_settings(config, preset=preset))
    with _instance() as instance:
        added = partitions.register_parts(instance, parts)
    typer.echo(f"{len(added)} parts added, {len(parts) - len(added)} were there: {', '.join(parts)}")


@app.command()
def forget(config: Config = None, preset: PresetName = None) -> None:
    """Apply the lists of deleted tweets and users: rewrite the parts that hold them, make again what follows."""
    from engage_pipeline.automation.forget import forget as forget_deletions
    from engage_pipeline.resources import Pipeline

    pipeline = Pipeline(config=str(config) if config else None, preset=preset)
    pipeline.settings()
    with _instance() as instance:
        outcome = forget_deletions(pipeline, instance)
    typer.echo(outcome.to_text())
    if outcome.problems:
        raise UserError(f"not all is forgotten: {'; '.join(outcome.problems)}")


@app.command()
def rollback(
    to: Annotated[str | None, typer.Option(help="Version of a kept model, or its beginning.")] = None,
    previous: Annotated[bool, typer.Option("--previous", help="The model promoted before this one.")] = False,
    config: Config = None,
    preset: PresetName = None,
) -> None:
    """Have an earlier model predict again; without --to or --previous, list the models that are kept."""
    from engage_pipeline.artifacts import ArtifactStore
    from engage_pipeline.model.rollback import format_models, kept_models, roll_back, short

    store = ArtifactStore(load_settings(config, preset=preset))
    if to is not None and previous:
        raise UserError("give --to or --previous, not both")
    if to is None and not previous:
        models = kept_models(store)
        typer.echo(format_models(models) if models else "no model is kept: `engage run` makes the first")
        return
    with _instance() as instance:
        manifest = roll_back(store, to)
        _report(instance, manifest)
    typer.echo(f"model {short(manifest.version)} predicts from now on; `engage run` makes results.csv anew")


@app.command()
def promote(config: Config = None, preset: PresetName = None) -> None:
    """Have the newly trained model predict although it was turned down, or given up by a rollback."""
    from engage_pipeline.artifacts import ArtifactStore
    from engage_pipeline.model.rollback import promote_by_hand, short

    store = ArtifactStore(load_settings(config, preset=preset))
    with _instance() as instance:
        manifest = promote_by_hand(store)
        _report(instance, manifest)
    typer.echo(f"model {short(manifest.version)} predicts from now on; `engage run` makes results.csv anew")


@app.command()
def predict(
    inputs: Annotated[list[Path], typer.Option("--input", help="Test parts or folders of them; may be repeated.")],
    output: Annotated[Path, typer.Option(help="Where results.csv is written.")],
    more: Annotated[
        list[Path] | None, typer.Argument(help="Further inputs, so that --input test/part-* works.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use [default: all].")] = None,
    config: Config = None,
    preset: PresetName = None,
) -> None:
    """Predict test parts with the published model: the challenge's test phase. No Dagster, no network."""
    from engage_pipeline.submission.predict import predict as predict_parts

    report = predict_parts([*inputs, *(more or [])], output, load_settings(config, preset=preset), threads=threads)
    typer.echo(
        f"{output}: {report.rows:,} rows in {report.seconds:.1f} s, {report.rows_per_second:,.0f} rows a second, "
        f"{report.rejected:,} lines rejected"
    )


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Option(help="A results.csv, of any program.")],
    labels: Annotated[Path, typer.Option(help="Parquet with the labels, or a part with all 24 columns.")],
    oracle: Annotated[Path | None, typer.Option(help="Parquet with the true probabilities.")] = None,
    config: Config = None,
    preset: PresetName = None,
) -> None:
    """Score a predictions file: AP and RCE, overall and over the author groups, and the share of the oracle's RCE."""
    from engage_pipeline.submission.scoring import score_predictions

    typer.echo(score_predictions(predictions, labels, oracle, load_settings(config, preset=preset)).to_text())


@app.command()
def explain(
    part: Annotated[Path, typer.Option("--input", help="A raw part: test, or with labels, which are only shown.")],
    row: Annotated[int, typer.Option(help="Line of the part, counted from 0 as line_number in every table is.")],
    json: Annotated[Path | None, typer.Option("--json", help="Write everything, unrounded, to this file too.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Cores to use [default: all].")] = None,
    config: Config = None,
    preset: PresetName = None,
) -> None:
    """Show why one row is predicted as it is: what each family of features did, and the counters behind it.

    The row is taken as a test row. One of a training or validation part is itself in the counters it is explained by.
    """
    from engage_pipeline.submission.explain import explain as explain_line
    from engage_pipeline.submission.explanation_json import write_json
    from engage_pipeline.submission.explanation_text import to_text

    with _without_log_lines():
        explained = explain_line(part, row, load_settings(config, preset=preset), threads=threads)
    typer.echo(to_text(explained))
    if json is not None:
        write_json(explained, json)


@app.command()
def settings() -> None:
    """Print every setting with default and meaning, as Markdown."""
    from engage_pipeline.settings_reference import settings_markdown

    typer.echo(settings_markdown())


def _report(instance: "DagsterInstance", manifest: "Manifest") -> None:
    """Has the UI show what was published outside of a run."""
    from engage_pipeline.assets.making import materialization

    instance.report_runless_asset_event(materialization(manifest))


def _instance() -> "DagsterInstance":
    """The instance of $DAGSTER_HOME, else of the current folder where it holds a dagster.yaml."""
    from dagster import DagsterInstance

    if not os.environ.get("DAGSTER_HOME"):
        if not Path("dagster.yaml").is_file():
            raise UserError("DAGSTER_HOME is not set, and the current folder holds no dagster.yaml")
        os.environ["DAGSTER_HOME"] = str(Path.cwd())
    return DagsterInstance.get()


def _show_log_lines() -> None:
    """Writes the library's lines to the terminal, before Dagster adds a handler of its own that rewords them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("engage_pipeline")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


@contextmanager
def _without_log_lines() -> Iterator[None]:
    """For work of seconds, whose progress is not worth a line: warnings only."""
    logger = logging.getLogger("engage_pipeline")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def main() -> None:
    """Entry point: exit status 0, 1 for a mistake in data or settings, 2 for a wrong command line, 130 interrupted."""
    _show_log_lines()
    try:
        app()
    except UserError as error:
        typer.echo(f"engage: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("engage: interrupted", err=True)
        sys.exit(130)
