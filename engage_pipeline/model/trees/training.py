"""Trains LightGBM trees, one model per engagement, on validation rows.

    logit = intercept + pretrained_slope * pretrained logit + effects_slope * logit of the effects + trees

The pretrained network never saw these rows, and the effects were fitted without their labels, so both are as good here
as on new rows: the trees start from them, slightly recalibrated, and read them beside the counters. The out-of-fold
loss decides the number of trees of an engagement. If nothing is better than the constant rate, it gets that rate.
So many trees are grown twice: on the fine-tuning rows, to be compared with other models, and on all rows, to predict.
The trees of the folds also score the rows that they were grown without, for the weights of the blend.

The time grows no faster than the rows. Early stopping takes more trees of more rows, at most trees.n_estimators, but
fewer folds are tested of more rows (trees.tested_rows), down to one, and no tree is grown on more than
trees.rows_per_tree rows: beyond that, a row costs only its binning and its score after each tree.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engage_pipeline import schema
from engage_pipeline.machine.shares import threads_of
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.model.out_of_fold import OutOfFold
from engage_pipeline.model.trees.folds import HeldOutRows
from engage_pipeline.model.trees.inputs import CATEGORICAL
from engage_pipeline.model.trees.rows import LogitSource, TreeRows, read_tree_rows
from engage_pipeline.model.trees.start import BelowTrees, Start, below_trees, fit_start
from engage_pipeline.model.validation_roles import DECIDED
from engage_pipeline.numerics.logistic import log_losses
from engage_pipeline.progress import Progress, progress
from engage_pipeline.settings.settings import Settings

TREES = "trees.json"
LEAST_LABELS = 10
"""With fewer rows with the engagement, or without it, only a constant is fitted."""
IMPORTANT_COLUMNS = 30
MAX_BINS = 63
"""Bins of a column: rows are few beside 255, and so are the columns whose finer steps matter."""
ROWS_A_THREAD = 10_000
"""Threads with fewer rows each wait for one another longer than they work. OpenMP's own number is that of torch."""


def trees_file(target: str, prefix: str = "") -> str:
    """Returns the name of the LightGBM text file of the engagement `target`."""
    return f"{prefix}trees_{target}.txt"


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

    def start_of(self, rows: "BinnedRows", number: int) -> Start:
        """Returns the start of the engagement TARGETS[number] for other rows, fitted to them as this one was."""
        labels = rows.labels[:, number]
        constant = not (self.start.pretrained_slope or self.start.effects_slope)
        return Start(constant_logit(labels), 0.0, 0.0) if constant else fit_start(rows.below[number], labels)


@dataclass(frozen=True)
class BinnedRows:
    """n rows: LightGBM's `dataset`, `labels` bool [n, 4], and the logits of the start, `below`, by engagement."""

    dataset: Any
    labels: np.ndarray
    below: list[BelowTrees]


@on_training_threads
def train_trees(
    features: Path, pretrained: LogitSource, effects: np.ndarray, output: Path, settings: Settings
) -> dict[str, Any]:
    """Trains the trees of each engagement and writes `trees.json` and `trees_<engagement>.txt` into `output`: of all
    rows, and with DECIDED before the name of those that are to be compared. Also writes out_of_fold.OUT_OF_FOLD.

    `features` is the Parquet file of validation_features; `pretrained` was not trained on its rows, and `effects`
    float32 [n, 4] are EFFECT_COLUMNS of its rows, fitted without their labels. Returns figures for people. With
    `trees.enabled: false`, only a `trees.json` that says so is written. Raises UserError if there are no training rows.
    """
    if not settings.trees.enabled:
        for prefix in (DECIDED, ""):
            _write_json(output / f"{prefix}{TREES}", {"enabled": False})
        return {"enabled": False}
    rows = read_tree_rows(features, pretrained, effects, settings)
    compared = _bin(rows, rows.learning, settings)
    grown = [(compared, [DECIDED, ""])]
    if settings.refit:
        grown = [(compared, [DECIDED]), (_bin(rows, None, settings), [""])]
    tested = HeldOutRows.of(rows, settings)
    inputs = rows.inputs
    del rows  # its matrix, which is binned
    described: dict[str, dict[str, Any]] = {DECIDED: {}, "": {}}
    facts = {}
    out_of_fold = np.empty((len(tested.places), len(schema.TARGETS)), np.float32)
    with progress("trees", None, "rounds") as tracker:
        for number, target in enumerate(schema.TARGETS):
            choice, logits = choose_iterations(compared, number, tested, settings, _rounds(tracker, target))
            out_of_fold[:, number] = logits
            for binned, prefixes in grown:
                start = choice.start if binned is compared else choice.start_of(binned, number)
                booster = _grow(binned, number, start, choice.iterations, settings) if choice.iterations else None
                for prefix in prefixes:
                    if booster:
                        (output / trees_file(target, prefix)).write_text(_model_text(booster), encoding="utf-8")
                    described[prefix][target] = {"iterations": choice.iterations, "start": asdict(start)}
            facts[target] = _facts(binned.labels[:, number], choice, booster)
    OutOfFold.of(tested.places, out_of_fold).write(output)
    for prefix, engagements in described.items():
        values = {"enabled": True, **inputs.to_json(), "engagements": engagements}
        _write_json(output / f"{prefix}{TREES}", values)
    return {"enabled": True, "rows": len(grown[-1][0].labels), "columns": len(inputs.columns), "engagements": facts}


def lightgbm_parameters(settings: Settings, rows: int) -> dict[str, Any]:
    """Returns LightGBM's parameters for so many training rows, equal for all engagements.

    The result does not depend on the number of threads.
    """
    trees = settings.trees
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": trees.learning_rate,
        "num_leaves": trees.num_leaves,
        "min_data_in_leaf": trees.min_child_samples,
        "max_bin": MAX_BINS,
        "feature_fraction": trees.feature_fraction,
        "bagging_fraction": min(1.0, (trees.rows_per_tree or rows) / rows),
        "bagging_freq": 1,
        "lambda_l2": trees.reg_lambda,
        "seed": settings.seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": min(threads_of(settings), max(1, rows // ROWS_A_THREAD)),
        "verbosity": -1,
    }


def choose_iterations(
    rows: BinnedRows, number: int, tested: HeldOutRows, settings: Settings, report: Callable[[Any], None]
) -> tuple[Choice, np.ndarray]:
    """Chooses start and number of trees of the engagement TARGETS[number] with the least out-of-fold log loss; sets
    labels and start in the dataset of `rows`.

    Also returns the logits of the tested rows by the trees of the other folds, float64 [m].
    """
    dataset, below, labels = rows.dataset, rows.below[number], rows.labels[:, number]
    positives = int(labels.sum())
    constant = Start(constant_logit(labels), 0.0, 0.0)
    if min(positives, len(labels) - positives) < LEAST_LABELS:
        reason = f"{positives} of {len(labels)} rows have it: too one-sided for more than a constant"
        return Choice(constant, 0, reason), constant.logits(below)[tested.learned]
    members = tested.members
    start = fit_start(below, labels)
    logits = start.logits(below)
    losses = log_losses(logits, labels)
    dataset.set_label(labels.astype(np.float32)).set_init_score(logits)
    later, boosters = _cross_validate(dataset, members, settings, report)
    curve = [_fold_mean(losses, members), *later]
    constant_loss = float(np.mean([_constant_loss(labels[rest], labels[fold]) for rest, fold in members]))
    best = int(np.argmin(curve))
    if curve[best] >= constant_loss:
        choice = Choice(constant, 0, "nothing beats the constant rate", constant_loss, curve)
        return choice, constant.logits(below)[tested.learned]
    choice = Choice(start, best, "least out-of-fold loss", constant_loss, curve[: best + 1])
    return choice, logits[tested.learned] + tested.trees(boosters, best)


def constant_logit(labels: np.ndarray) -> float:
    """Returns the logit of the mean of `labels`, with half a row of each class added to keep it finite."""
    positives = float(np.sum(labels))
    return float(np.log(positives + 0.5) - np.log(len(labels) - positives + 0.5))


def _cross_validate(
    dataset: Any, members: Sequence[tuple[np.ndarray, np.ndarray]], settings: Settings, report: Callable[[Any], None]
) -> tuple[list[float], list[Any]]:
    """Returns the mean loss after each tree, and the trees of each fold."""
    import lightgbm

    history: Any = lightgbm.cv(
        lightgbm_parameters(settings, dataset.num_data()),
        dataset,
        num_boost_round=settings.trees.n_estimators,
        folds=members,
        callbacks=[lightgbm.early_stopping(settings.trees.early_stopping_rounds, verbose=False), report],
        return_cvbooster=True,
    )
    return [float(loss) for loss in history["valid binary_logloss-mean"]], history["cvbooster"].boosters


def _bin(rows: TreeRows, members: np.ndarray | None, settings: Settings) -> BinnedRows:
    """Bins the rows at the positions `members`, None = all, once for all engagements and folds."""
    import lightgbm

    matrix, labels = (rows.matrix, rows.labels) if members is None else (rows.matrix[members], rows.labels[members])
    dataset = lightgbm.Dataset(
        matrix,
        label=labels[:, 0].astype(np.float32),
        feature_name=list(rows.inputs.columns),
        categorical_feature=list(CATEGORICAL),
        params=lightgbm_parameters(settings, len(matrix)),
    ).construct()
    return BinnedRows(dataset, labels, [below_trees(matrix, number, settings) for number in range(len(schema.TARGETS))])


def _grow(rows: BinnedRows, number: int, start: Start, iterations: int, settings: Settings) -> Any:
    """Trains `iterations` trees of the engagement TARGETS[number] on all of `rows`, from `start`."""
    import lightgbm

    rows.dataset.set_label(rows.labels[:, number].astype(np.float32)).set_init_score(start.logits(rows.below[number]))
    parameters = lightgbm_parameters(settings, len(rows.labels))
    return lightgbm.train(parameters, rows.dataset, num_boost_round=iterations)


def _model_text(booster: Any) -> str:
    """Returns the model in LightGBM's format, without the number of threads, which changes nothing."""
    return re.sub(r"^\[num_threads: \d+\]$", "[num_threads: 0]", booster.model_to_string(), flags=re.MULTILINE)


def _fold_mean(losses: np.ndarray, members: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
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
