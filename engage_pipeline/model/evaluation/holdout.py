"""Makes the evaluation: scores the models on the holdout rows, on which none of them was trained.

| file | content |
|---|---|
| `scores.json` | the scores of each model, overall and by follower group, and `main_model`, the candidate's name |
| `holdout_predictions.parquet` | line, viewer, author's followers, labels, probabilities: `<model>_<engagement>` |
| `report.html` | the same for people, with plots |

What does not belong here: predicting (bundle), the scores' definitions (metrics), and the page (report).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.parquet import batches
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.model.evaluation.cost_section import cost_section
from engage_pipeline.model.evaluation.figures import model_section, quality_plots, quality_section
from engage_pipeline.model.evaluation.history_section import ModelHistory, history_section
from engage_pipeline.model.evaluation.pipeline_section import (
    PipelineFacts,
    data_section,
    interactions_section,
    shown_settings,
    text_section,
)
from engage_pipeline.model.evaluation.report import Table, table_of, write_report
from engage_pipeline.model.evaluation.scores_section import (
    PREDICTING,
    headline,
    main_model,
    reported_model,
    slices_section,
    summary_section,
)
from engage_pipeline.model.evaluation.slices import SLICED_COLUMNS, Scored, score_slices
from engage_pipeline.model.validation_roles import held_out
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import REPORT

if TYPE_CHECKING:
    from engage_pipeline.model.bundle import TrainedModel

SCORES, PREDICTIONS = "scores.json", "holdout_predictions.parquet"
MODELS = ("pretrained", "network", "effects", "trees", "blend")
"""The candidate's models: network before and after fine-tuning, effects, trees (which read both), and blend."""
CONSTANT = "constant"
VIEWER = "viewer"
"""The column with viewers as numbers from 0 on: the bootstrap needs no ids."""
VIEWER_ID = "engaging_user_id"
FOLLOWERS = "engaged_with_user_follower_count"
BATCH_ROWS = 16_384

Predict = Callable[[pa.Table], Mapping[str, NDArray[np.float64]]]
"""Maps feature rows to the probabilities [n, 4] of each model."""


@dataclass(frozen=True)
class Holdout:
    """The scored rows: line numbers int64 [n], labels bool [n, 4], followers int64 [n], probabilities by model.

    `viewers` int64 [n]: numbers from 0 on. `traits` holds SLICED_COLUMNS. `rates`: the mean labels of the fine-tuning
    rows, float64 [4], which the constant model predicts.
    """

    line_numbers: NDArray[np.int64]
    viewers: NDArray[np.int64]
    labels: NDArray[np.bool_]
    followers: NDArray[np.int64]
    traits: pa.Table
    probabilities: dict[str, NDArray[np.float64]]
    rates: NDArray[np.float64]
    finetuning_rows: int


def evaluate_model(
    features: Path,
    predict: Predict,
    output: Path,
    settings: Settings,
    *,
    scored_file: bool = False,
    pipeline: PipelineFacts | None = None,
    history: ModelHistory | None = None,
) -> dict[str, Any]:
    """Scores the holdout rows of `features` (validation_features) and writes the three files into `output`.

    `scored_file` as in score_holdout. `pipeline`: the facts of earlier artifacts, for the report. `history`: the last
    decision, whose intervals are not computed again, and the models before. Returns facts: rows, positives, AP and RCE
    by model. Raises UserError if there is no holdout row.
    """
    holdout = score_holdout(features, predict, scored_file=scored_file)
    history = history or ModelHistory()
    edges = settings.evaluation.follower_edges
    scores = {name: _scored(name, holdout, edges, history) for name in holdout.probabilities}
    _write_scores(output / SCORES, scores)
    _write_predictions(output / PREDICTIONS, holdout)
    _write_report(output / REPORT, holdout, scores, settings, pipeline or PipelineFacts(), history)
    return _facts(holdout, scores)


def _scored(name: str, holdout: Holdout, edges: Sequence[int], history: ModelHistory) -> metrics.Scores:
    """Scores a model, with intervals: those that the decision computed, if it had the same scores."""
    values = holdout.probabilities[name]
    found = metrics.score(holdout.labels, values, holdout.followers, edges=edges, source=name)
    known = (metrics.with_known_intervals(found, one) for one in history.scores)
    return next(filter(None, known), None) or metrics.with_intervals(found, holdout.labels, values, holdout.viewers)


def _write_report(
    path: Path,
    holdout: Holdout,
    scores: Mapping[str, metrics.Scores],
    settings: Settings,
    facts: PipelineFacts,
    history: ModelHistory,
) -> None:
    model = reported_model(scores)
    slices = score_slices(holdout.traits, Scored(holdout.labels, holdout.probabilities[model], holdout.viewers))
    write_report(
        path,
        headline=headline(scores, history, facts),
        sections=[
            summary_section(scores, _row_table(holdout)),
            slices_section(model, slices),
            history_section(history),
            data_section(facts),
            interactions_section(facts),
            text_section(facts),
            model_section(facts),
            quality_section(holdout.labels, holdout.probabilities, scores),
            cost_section(facts.made),
        ],
        settings=shown_settings("evaluation", settings),
    )


def evaluation_plots(predictions: Path) -> dict[str, bytes]:
    """Plots calibration, and precision and recall, of the models in `holdout_predictions.parquet`."""
    table = pq.read_table(predictions)
    suffix = f"_{schema.TARGETS[0]}"
    models = [name.removesuffix(suffix) for name in table.column_names if name.endswith(suffix)]
    probabilities = {
        model: np.column_stack([table[f"{model}_{target}"].to_numpy() for target in schema.TARGETS]) for model in models
    }
    return quality_plots(_labels(table), probabilities)


def read_scores(path: Path) -> dict[str, metrics.Scores]:
    """Reads the scores by model that `evaluate_model` wrote into `scores.json`."""
    models = json.loads(path.read_text(encoding="utf-8"))["models"]
    return {name: metrics.Scores.from_json(one) for name, one in models.items()}


def _write_scores(path: Path, scores: Mapping[str, metrics.Scores]) -> None:
    values = {"main_model": main_model(scores), "models": {name: one.to_json() for name, one in scores.items()}}
    path.write_text(json.dumps(values, indent=1, allow_nan=False), encoding="utf-8")


def bundle_predictor(
    model: "TrainedModel", pretrained: Path | None = None, predicting: "TrainedModel | None" = None
) -> Predict:
    """Makes the Predict of the models of a bundle. Without trees, the blend equals the network and is left out.

    A bundle without trees lacks the network before fine-tuning, so that is loaded from the folder `pretrained`.
    `predicting`: the live model, scored too, last, when it is not the candidate.
    """
    from engage_pipeline.model.bundle import to_probabilities
    from engage_pipeline.model.network.scoring import NetworkScorer

    before = None
    if model.trees is None and pretrained is not None:
        before = NetworkScorer.load(pretrained, model.finetuned.codes, device=model.finetuned.chosen_device)

    def predict(table: pa.Table) -> dict[str, NDArray[np.float64]]:
        logits = model.components(table)
        if model.trees is None:
            del logits["blend"]
        if before is not None:
            logits["pretrained"] = before.logits(table).astype(np.float64)
        found = {name: to_probabilities(logits[name]) for name in MODELS if name in logits}
        return found if predicting is None else {**found, PREDICTING: predicting.probabilities(table)}

    return predict


def score_holdout(features: Path, predict: Predict, *, scored_file: bool = False) -> Holdout:
    """Predicts the holdout rows with each model, in batches, and with the constant. Raises UserError: no such row.

    `scored_file`: `predict` also gets the counts inside the file `features`, of all its rows.
    """
    pieces: list[tuple[pa.Table, Mapping[str, NDArray[np.float64]]]] = []
    kept = [schema.LINE_NUMBER, VIEWER_ID, FOLLOWERS, *SLICED_COLUMNS, *schema.TARGETS]
    positives, rows = np.zeros(len(schema.TARGETS), dtype=np.int64), 0
    tables = _batches(features)
    for table in ScoredFile.read(features).along(tables) if scored_file else tables:
        unseen = pa.array(held_out(table[schema.SPLIT].to_numpy()))
        others = table.select(schema.TARGETS).filter(pc.invert(unseen))
        positives, rows = positives + _labels(others).sum(axis=0), rows + others.num_rows
        chosen = table.filter(unseen)
        if chosen.num_rows:
            pieces.append((chosen.select(kept), predict(chosen)))
    if not pieces:
        raise UserError(f"{features}: no holdout row; raise validation_percentage, or give more validation rows")
    table = pa.concat_tables([piece for piece, _ in pieces])
    rates = positives / max(rows, 1)
    probabilities = {name: np.concatenate([found[name] for _, found in pieces]) for name in pieces[0][1]}
    probabilities[CONSTANT] = np.tile(rates, (table.num_rows, 1))
    return Holdout(
        table[schema.LINE_NUMBER].to_numpy(),
        metrics.viewer_numbers(table[VIEWER_ID]),
        _labels(table),
        pc.fill_null(table[FOLLOWERS], 0).to_numpy(),
        table.select(SLICED_COLUMNS),
        probabilities,
        rates,
        rows,
    )


def _batches(features: Path) -> Iterator[pa.Table]:
    with FeatureFile(features) as file, progress("evaluation", file.metadata.num_rows) as tracker:
        for table in batches(file, BATCH_ROWS):
            yield table
            tracker.advance(table.num_rows)


def _labels(table: pa.Table) -> NDArray[np.bool_]:
    return np.column_stack([table[name].to_numpy() for name in schema.TARGETS])


def _write_predictions(path: Path, holdout: Holdout) -> None:
    columns: dict[str, NDArray[Any]] = {schema.LINE_NUMBER: holdout.line_numbers, VIEWER: holdout.viewers}
    columns[FOLLOWERS] = holdout.followers
    columns |= dict(zip(schema.TARGETS, holdout.labels.T, strict=True))
    for model, values in holdout.probabilities.items():
        columns |= {f"{model}_{name}": column for name, column in zip(schema.TARGETS, values.T, strict=True)}
    pq.write_table(pa.table(columns), path, compression="zstd")


def _row_table(holdout: Holdout) -> Table:
    """Makes the table of the scored rows and of the constant model's rates."""
    counts = holdout.labels.sum(axis=0)
    rows = [
        ("holdout rows", f"{len(holdout.labels):,}"),
        ("their viewers", f"{len(np.unique(holdout.viewers)):,}"),
        ("fine-tuning rows", f"{holdout.finetuning_rows:,}"),
    ]
    for place, name in enumerate(schema.TARGETS):
        share = counts[place] / len(holdout.labels)
        rows += [
            (f"{name} on holdout rows", f"{counts[place]:,} ({share:.2%})"),
            (f"{name} on fine-tuning rows", f"{holdout.rates[place]:.2%}"),
        ]
    return table_of("The rows. The constant model gives the rate of the fine-tuning rows to every row.", rows)


def _facts(holdout: Holdout, scores: Mapping[str, metrics.Scores]) -> dict[str, Any]:
    def pair(case: metrics.Score | metrics.Average) -> dict[str, Any]:
        known = {"ap": case.ap, "rce": case.rce, "ap_interval": case.ap_interval, "rce_interval": case.rce_interval}
        return {name: value for name, value in known.items() if value is not None or name in metrics.METRICS}

    return {
        "rows": len(holdout.labels),
        "viewers": len(np.unique(holdout.viewers)),
        "positives": dict(zip(schema.TARGETS, holdout.labels.sum(axis=0).tolist(), strict=True)),
        "main_model": main_model(scores),
        "scores": {
            model: {
                **{name: pair(case.overall) for name, case in one.engagements.items()},
                "mean": pair(one.overall_mean),
                "mean_by_group": pair(one.group_mean),
            }
            for model, one in scores.items()
        },
    }
