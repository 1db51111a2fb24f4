"""LightGBM trees, one model an engagement, on the fine-tuning rows and the pretrained network's logits of them.

The pretrained network never saw these rows, so its logits are as good here as they will be on new rows. How many
trees an engagement gets is read off the out-of-fold loss; where no number beats the constant rate it gets none.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engage_pipeline import schema
from engage_pipeline.config import Settings
from engage_pipeline.model.tree_inputs import CATEGORICAL, COLUMNS
from engage_pipeline.model.tree_rows import LogitSource, TreeRows, read_tree_rows
from engage_pipeline.progress import Progress, progress

TREES = "trees.json"
LEAST_LABELS = 10
"""Fewest rows with, and fewest without an engagement, for trees to be tried."""
IMPORTANT_COLUMNS = 30


def trees_file(target: str) -> str:
    """Name of the LightGBM text file of the engagement `target`."""
    return f"trees_{target}.txt"


@dataclass(frozen=True)
class Choice:
    """How many trees an engagement gets, and why.

    `curve` is the out-of-fold log loss after each tree (nats a row, mean over folds) up to the best one;
    `constant_loss` is that of the rate of the other folds.
    """

    iterations: int
    reason: str
    constant_loss: float | None = None
    curve: list[float] = field(default_factory=list)


def train_trees(features: Path, pretrained: LogitSource, output: Path, settings: Settings) -> dict[str, Any]:
    """Trains the trees of each engagement and writes `trees.json` and `trees_<engagement>.txt` into `output`.

    `features` is the Parquet file of validation_features; `pretrained` scores its rows honestly. Returns figures for
    people. With `trees.enabled: false` only `trees.json` is written, and says so. Raises UserError where there are
    no rows to train on.
    """
    if not settings.trees.enabled:
        _write_json(output / TREES, {"enabled": False})
        return {"enabled": False}
    rows = read_tree_rows(features, pretrained, settings)
    parameters = lightgbm_parameters(settings)
    dataset = _dataset(rows, parameters)
    engagements, facts = {}, {}
    with progress("trees", None, "rounds") as tracker:
        for number, target in enumerate(schema.TARGETS):
            labels = rows.labels[:, number]
            choice = choose_iterations(dataset, labels, rows.folds, parameters, settings, _rounds(tracker, target))
            engagements[target] = {"iterations": choice.iterations, "constant_logit": constant_logit(labels)}
            importance = {}
            if choice.iterations:
                importance = _grow(dataset, labels, choice.iterations, parameters, output / trees_file(target))
            facts[target] = _facts(labels, choice, importance)
    _write_json(output / TREES, {"enabled": True, **rows.inputs.to_json(), "engagements": engagements})
    return {"enabled": True, "rows": len(rows.labels), "columns": len(COLUMNS), "engagements": facts}


def lightgbm_parameters(settings: Settings) -> dict[str, Any]:
    """Parameters of LightGBM, the same for every engagement; the result does not depend on the number of threads."""
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
    labels: np.ndarray,
    folds: np.ndarray,
    parameters: dict[str, Any],
    settings: Settings,
    report: Callable[[Any], None],
) -> Choice:
    """The number of trees with the least out-of-fold log loss; 0 where that is no better than the constant rate."""
    import lightgbm

    positives = int(labels.sum())
    fewest = min(positives, len(labels) - positives)
    if fewest < LEAST_LABELS:
        return Choice(0, f"{positives} of {len(labels)} rows have it: too one-sided for trees")
    members = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    if any(len(np.unique(labels[rest])) < 2 for rest, _ in members):
        return Choice(0, "one class only outside a fold")
    dataset.set_label(labels.astype(np.float32))
    history: Any = lightgbm.cv(
        parameters,
        dataset,
        num_boost_round=settings.trees.n_estimators,
        folds=members,
        callbacks=[lightgbm.early_stopping(settings.trees.early_stopping_rounds, verbose=False), report],
    )
    curve = [float(loss) for loss in history["valid binary_logloss-mean"]]
    constant = float(np.mean([_constant_loss(labels[rest], labels[fold]) for rest, fold in members]))
    best = int(np.argmin(curve))
    if curve[best] >= constant:
        return Choice(0, "no number of trees beats the constant rate", constant, curve)
    return Choice(best + 1, "least out-of-fold loss", constant, curve)


def constant_logit(labels: np.ndarray) -> float:
    """The logit of the mean of `labels`, half a row of each class added, so that it is finite."""
    positives = float(np.sum(labels))
    return float(np.log(positives + 0.5) - np.log(len(labels) - positives + 0.5))


def _dataset(rows: TreeRows, parameters: dict[str, Any]) -> Any:
    import lightgbm

    dataset = lightgbm.Dataset(
        rows.matrix,
        label=rows.labels[:, 0].astype(np.float32),
        feature_name=list(COLUMNS),
        categorical_feature=list(CATEGORICAL),
        params=parameters,
    )
    return dataset.construct()


def _grow(
    dataset: Any, labels: np.ndarray, iterations: int, parameters: dict[str, Any], output: Path
) -> dict[str, float]:
    """Trains on all rows and writes the model; returns the gains of the most important columns."""
    import lightgbm

    dataset.set_label(labels.astype(np.float32))
    booster = lightgbm.train(parameters, dataset, num_boost_round=iterations)
    threads = f"[num_threads: {parameters['num_threads']}]"
    output.write_text(booster.model_to_string().replace(threads, "[num_threads: 0]"), encoding="utf-8")
    gains = booster.feature_importance("gain")
    order = np.argsort(-gains, kind="stable")[:IMPORTANT_COLUMNS]
    return {COLUMNS[column]: float(gains[column]) for column in order if gains[column] > 0}


def _constant_loss(others: np.ndarray, labels: np.ndarray) -> float:
    rate = others.mean()
    return float(-np.where(labels, np.log(rate), np.log1p(-rate)).mean())


def _facts(labels: np.ndarray, choice: Choice, importance: dict[str, float]) -> dict[str, Any]:
    return {
        "positives": int(labels.sum()),
        "trees": choice.iterations,
        "reason": choice.reason,
        "constant_loss": choice.constant_loss,
        "out_of_fold_loss": choice.curve[choice.iterations - 1] if choice.iterations else None,
        "curve": choice.curve,
        "gain": importance,
    }


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False), encoding="utf-8")


def _rounds(tracker: Progress, target: str) -> Callable[[Any], None]:
    """A callback of LightGBM that counts each round of boosting."""

    def report(_: Any) -> None:
        tracker.advance(1, target)

    return report
