"""Commands about the model that predicts: rollback, promote, predict, explain, evaluate."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engage_pipeline.commands import documents
from engage_pipeline.commands.options import A_LOCATION, Config, Json, PresetName, Threads, Values, chosen_settings
from engage_pipeline.errors import UserError
from engage_pipeline.files.outputs import find_output
from engage_pipeline.orchestration.history import open_instance
from engage_pipeline.plurals import counted

if TYPE_CHECKING:
    from engage_pipeline.store.store import ArtifactStore

Mixed = Annotated[
    bool,
    typer.Option("--allow-mixed", help="Use the published counters if those of the model's promotion are gone."),
]


def rollback(
    to: Annotated[str | None, typer.Option(help="Version of a kept model, or its first characters.")] = None,
    previous: Annotated[bool, typer.Option("--previous", help="The model promoted before this one.")] = False,
    config: Config = None,
    preset: PresetName = None,
    values: Values = None,
    json: Json = False,
) -> None:
    """Let an earlier model predict again; without --to or --previous, list the kept models."""
    from engage_pipeline.model.promotion.predicting import lacks_model, short
    from engage_pipeline.model.promotion.rollback import format_models, kept_models, roll_back
    from engage_pipeline.orchestration.assets.materializing import report_published
    from engage_pipeline.store.mirror.following import open_store

    store = open_store(chosen_settings(config, preset, values))
    if to is not None and previous:
        raise UserError("give --to or --previous, not both")
    if to is None and not previous:
        documents.put(_models_document(store))
        models = kept_models(store)
        none = lacks_model(store) or "no model is kept: `engage run` makes the first"
        typer.echo(format_models(models) if models else none)
        return
    with open_instance() as instance:
        manifest = roll_back(store, to)
        report_published(instance, store, manifest)
    documents.put(_models_document(store))
    typer.echo(f"model {short(manifest.version)} predicts from now on; `engage run` makes results.csv anew")


def promote(config: Config = None, preset: PresetName = None, values: Values = None, json: Json = False) -> None:
    """Let the newest trained model predict although its promotion was refused, or a rollback replaced it."""
    from engage_pipeline.model.promotion.predicting import short
    from engage_pipeline.model.promotion.rollback import promote_by_hand
    from engage_pipeline.orchestration.assets.materializing import report_published
    from engage_pipeline.store.mirror.following import open_store

    store = open_store(chosen_settings(config, preset, values))
    with open_instance() as instance:
        manifest = promote_by_hand(store)
        report_published(instance, store, manifest)
    documents.put(_models_document(store))
    typer.echo(f"model {short(manifest.version)} predicts from now on; `engage run` makes results.csv anew")


def predict(
    inputs: Annotated[
        list[Path],
        typer.Option("--input", **A_LOCATION, help="Test parts or folders of them, or URIs; may be repeated."),
    ],
    output: Annotated[
        Path, typer.Option(**A_LOCATION, help="Where results.csv is written, maybe a URI; - is standard output.")
    ],
    more: Annotated[
        list[Path] | None, typer.Argument(**A_LOCATION, help="Further inputs, so that --input test/part-* works.")
    ] = None,
    threads: Threads = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that share the parts, each with --threads threads [default: 1].")
    ] = 1,
    allow_mixed: Mixed = False,
    config: Config = None,
    preset: PresetName = None,
    values: Values = None,
    json: Json = False,
) -> None:
    """Predict test parts with the published model: the challenge's test phase.

    No Dagster; network only for URIs, a mirror, and a hub encoder's tokenizer if a part has plain text.
    """
    from engage_pipeline.submission.predict import predict as predict_parts

    settings = chosen_settings(config, preset, values)
    if json and find_output(output).is_stdout:
        raise UserError("--output and --json can't both be standard output: give --output a file")
    report = predict_parts(
        [*inputs, *(more or [])], output, settings, threads=threads, processes=processes, allow_mixed=allow_mixed
    )
    rows, rejected = counted(report.rows, "row"), counted(report.rejected, "line")
    speed = f"{report.start_seconds:.1f} s of them to start, then {report.rows_per_second:,.0f} rows a second"
    documents.put({"output": str(output), **asdict(report), "rows_per_second": report.rows_per_second})
    said = f"{output}: {rows} in {report.seconds:.1f} s, {speed}, {rejected} rejected"
    typer.echo(said, err=find_output(output).is_stdout)


def explain(
    part: Annotated[
        Path, typer.Option("--input", **A_LOCATION, help="A raw part of any kind, or its URI; labels are only shown.")
    ],
    row: Annotated[int, typer.Option(help="Line of the part, from 0, like line_number in every table.")],
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Write everything, unrounded, to this file too; - instead of the text."),
    ] = None,
    threads: Threads = None,
    allow_mixed: Mixed = False,
    config: Config = None,
    preset: PresetName = None,
    values: Values = None,
) -> None:
    """Explain the prediction of one row: the contribution of each family of features, and the counters behind it.

    `logits` is what a family adds to the log-odds, `points` the probability minus that without the family, in %. `from`
    is the probability of a row of which nothing is known, `base rate` the share of the training rows with the
    engagement. The row is treated as a test row. A row of a training or validation part is itself counted in these
    counters.
    """
    from engage_pipeline.files.raw_parts import find_part
    from engage_pipeline.submission.explanation.as_json import write_json
    from engage_pipeline.submission.explanation.as_text import to_text
    from engage_pipeline.submission.explanation.explain import explain as explain_line
    from engage_pipeline.submission.safe_output import require_safe

    output = None if json is None else find_output(json)
    with _without_log_lines():
        settings = chosen_settings(config, preset, values)
        if output is not None:
            require_safe(output, [find_part(part, follow_links=settings.follow_links)], settings)
        explained = explain_line(part, row, settings, threads=threads, allow_mixed=allow_mixed)
    if output is None or not output.is_stdout:
        typer.echo(to_text(explained))
    if output is not None:
        write_json(explained, output)


def evaluate(
    predictions: Annotated[
        Path, typer.Option(**A_LOCATION, help="A results.csv, of any program; each of the three may be a URI.")
    ],
    labels: Annotated[
        Path, typer.Option(**A_LOCATION, help="A labelled part, or Parquet with ids, author's followers and labels.")
    ],
    oracle: Annotated[
        Path | None, typer.Option(**A_LOCATION, help="Parquet with the true probabilities, as test_oracle.parquet.")
    ] = None,
    config: Config = None,
    preset: PresetName = None,
    values: Values = None,
    json: Json = False,
) -> None:
    """Score a predictions file: AP and RCE, overall and over the author groups, and the share of the oracle's RCE."""
    from engage_pipeline.submission.scoring.report import score_predictions

    report = score_predictions(predictions, labels, oracle, chosen_settings(config, preset, values))
    documents.put(report.to_json())
    typer.echo(report.to_text())


def _models_document(store: "ArtifactStore") -> dict[str, Any]:
    from engage_pipeline.model.promotion.rollback import kept_models

    names = ("version", "predicts", "promoted_at", "rce")
    return {"models": [{name: getattr(model, name) for name in names} for model in kept_models(store)]}


@contextmanager
def _without_log_lines() -> Iterator[None]:
    """Shows warnings only within the block: its work takes seconds, so progress is not worth a line."""
    logger = logging.getLogger("engage_pipeline")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
