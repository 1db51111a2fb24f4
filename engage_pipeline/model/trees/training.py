"""Trains LightGBM trees, one model per engagement, on the fine-tuning rows.

    logit = intercept + pretrained_slope * pretrained logit + effects_slope * logit of the effects + trees

The pretrained network never saw these rows, and the effects were fitted without their labels, so both are as good here
as on new rows: the trees start from them, slightly recalibrated, and read them beside the counters. The out-of-fold
loss decides the number of trees of an engagement. If nothing is better than the constant rate, it gets that rate.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engage_pipeline import schema
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.model.trees.inputs import CATEGORICAL
from engage_pipeline.model.trees.rows import LogitSource, TreeRows, read_tree_rows
from engage_pipeline.model.trees.start import BelowTrees, Start, below_trees, fit_start
from engage_pipeline.numerics.logistic import log_losses
from engage_pipeline.progress import Progress, progress
from engage_pipeline.settings.settings import Settings

TREES = "trees.json"
LEAST_LABELS = 10
"""With fewer rows with the engagement, or without it, only a constant is fitted."""
IMPORTANT_COLUMNS = 30


def trees_file(target: str) -> str:
    """Returns the name of the LightGBM text file of the engagement `target`."""
    return f"trees_{target}.txt"


@dataclass(frozen=True)
class Choice:
    """The chosen start and number of trees of an engagement, and the reason.

    `curve`: the out-of-fold log loss (nats per row, mean over folds) of the start alone and after each tree up to the
    best one. `constant_loss`: that of the rate of the other folds.
    """

    start: Start
    iterations: int
    reason: str
    constant_loss: float | None = None
    curve: list[float] = field(default_factory=list)


@on_training_threads
def train_trees(
    features: Path, pretrained: LogitSource, effects: np.ndarray, output: Path, settings: Settings
) -> dict[str, Any]:
    """Trains the trees of each engagement and writes `trees.json` and `trees_<engagement>.txt` into `output`.

    `features` is the Parquet file of validation_features; `pretrained` was not trained on its rows, and `effects`
    float32 [n, 17] are EFFECT_COLUMNS of its rows, fitted without their labels. Returns figures for people. With
    `trees.enabled: false`, only a `trees.json` that says so is written. Raises UserError if there are no training rows.
    """
    if not settings.trees.enabled:
        _write_json(output / TREES, {"enabled": False})
        return {"enabled": False}
    rows = read_tree_rows(features, pretrained, effects, settings)
    dataset = _dataset(rows, lightgbm_parameters(settings))
    engagements, facts = {}, {}
    with progress("trees", None, "rounds") as tracker:
        for number, target in enumerate(schema.TARGETS):
            labels, below = rows.labels[:, number], below_trees(rows.matrix, number, settings)
            choice = choose_iterations(dataset, below, labels, rows.folds, settings, _rounds(tracker, target))
            engagements[target] = {"iterations": choice.iterations, "start": asdict(choice.start)}
            booster = _grow(dataset, settings, choice.iterations) if choice.iterations else None
            if booster:
                (output / trees_file(target)).write_text(_model_text(booster), encoding="utf-8")
            facts[target] = _facts(labels, choice, booster)
    _write_json(output / TREES, {"enabled": True, **rows.inputs.to_json(), "engagements": engagements})
    return {"enabled": True, "rows": len(rows.labels), "columns": len(rows.inputs.columns), "engagements": facts}


def lightgbm_parameters(settings: Settings) -> dict[str, Any]:
    """Returns LightGBM's parameters, equal for all engagements; the result does not depend on the number of threads."""
    trees = settings.trees
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": trees.learning_rate,
        "num_leaves": trees.num_leaves,
        "min_data_in_leaf": trees.min_child_samples,
        "feature_fraction": trees.feature_fraction,
        "lambda_l2": trees.reg_lambda,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": settings.engine.threads or 0,
        "verbosity": -1,
    }


def choose_iterations(
    dataset: Any,
    below: BelowTrees,
    labels: np.ndarray,
    folds: np.ndarray,
    settings: Settings,
    report: Callable[[Any], None],
) -> Choice:
    """Chooses start and number of trees with the least out-of-fold log loss; sets labels and start in `dataset`.

    `below` holds the logits [n] of the start, `labels` bool [n], `folds` int [n].
    """
    positives = int(labels.sum())
    constant = Start(constant_logit(labels), 0.0, 0.0)
    if min(positives, len(labels) - positives) < LEAST_LABELS:
        return Choice(constant, 0, f"{positives} of {len(labels)} rows have it: too one-sided for more than a constant")
    members = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    start = fit_start(below, labels)
    logits = start.logits(below)
    losses = log_losses(logits, labels)
    dataset.set_label(labels.astype(np.float32)).set_init_score(logits)
    curve = [_fold_mean(losses, members), *_cross_validate(dataset, members, settings, report)]
    constant_loss = float(np.mean([_constant_loss(labels[rest], labels[fold]) for rest, fold in members]))
    best = int(np.argmin(curve))
    if curve[best] >= constant_loss:
        return Choice(constant, 0, "nothing beats the constant rate", constant_loss, curve)
    return Choice(start, best, "least out-of-fold loss", constant_loss, curve[: best + 1])


def constant_logit(labels: np.ndarray) -> float:
    """Returns the logit of the mean of `labels`, with half a row of each class added to keep it finite."""
    positives = float(np.sum(labels))
    return float(np.log(positives + 0.5) - np.log(len(labels) - positives + 0.5))


def _cross_validate(
    dataset: Any, members: list[tuple[np.ndarray, np.ndarray]], settings: Settings, report: Callable[[Any], None]
) -> list[float]:
    import lightgbm

    history: Any = lightgbm.cv(
        lightgbm_parameters(settings),
        dataset,
        num_boost_round=settings.trees.n_estimators,
        folds=members,
        callbacks=[lightgbm.early_stopping(settings.trees.early_stopping_rounds, verbose=False), report],
    )
    return [float(loss) for loss in history["valid binary_logloss-mean"]]


def _dataset(rows: TreeRows, parameters: dict[str, Any]) -> Any:
    import lightgbm

    dataset = lightgbm.Dataset(
        rows.matrix,
        label=rows.labels[:, 0].astype(np.float32),
        feature_name=list(rows.inputs.columns),
        categorical_feature=list(CATEGORICAL),
        params=parameters,
    )
    return dataset.construct()


def _grow(dataset: Any, settings: Settings, iterations: int) -> Any:
    """Trains `iterations` trees on all rows of `dataset`, whose labels and start are set."""
    import lightgbm

    return lightgbm.train(lightgbm_parameters(settings), dataset, num_boost_round=iterations)


def _model_text(booster: Any) -> str:
    """Returns the model in LightGBM's format, without the number of threads, which changes nothing."""
    return re.sub(r"^\[num_threads: \d+\]$", "[num_threads: 0]", booster.model_to_string(), flags=re.MULTILINE)


def _fold_mean(losses: np.ndarray, members: list[tuple[np.ndarray, np.ndarray]]) -> float:
    return float(np.mean([losses[fold].mean() for _, fold in members]))


def _constant_loss(others: np.ndarray, labels: np.ndarray) -> float:
    return float(log_losses(np.full(len(labels), constant_logit(others)), labels).mean())


def _facts(labels: np.ndarray, choice: Choice, booster: Any | None) -> dict[str, Any]:
    return {
        "positives": int(labels.sum()),
        "trees": choice.iterations,
        **asdict(choice.start),
        "reason": choice.reason,
        "constant_loss": choice.constant_loss,
        "out_of_fold_loss": min(choice.curve, default=None),
        "curve": choice.curve,
        "gain": _gains(booster) if booster else {},
    }


def _gains(booster: Any) -> dict[str, float]:
    """Returns the total gain of the most important columns, the highest first."""
    names, gains = booster.feature_name(), booster.feature_importance("gain")
    order = np.argsort(-gains, kind="stable")[:IMPORTANT_COLUMNS]
    return {names[column]: float(gains[column]) for column in order if gains[column] > 0}


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")


def _rounds(tracker: Progress, target: str) -> Callable[[Any], None]:
    """Makes a LightGBM callback that reports each round of boosting."""

    def report(_: Any) -> None:
        tracker.advance(1, target)

    return report
