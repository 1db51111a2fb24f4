"""The baseline: LightGBM on the reference's 88 numbers, trained on training and fine-tuning rows together.

    python -m engage_pipeline.comparison.reference_trees CONFIG RESULTS

reads the feature files of a run with the settings of CONFIG, and writes the results.csv RESULTS. Not a part of the
pipeline. The inputs are the 73 numbers and 12 flags of the reference's network, and language, hour and day of the
month; no smoothed rate, no exposure and no text.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from engage_pipeline import schema
from engage_pipeline.comparison.reference_rows import (
    LANGUAGE,
    REFERENCE_COLUMNS,
    TrainingRows,
    matrix,
    read_training_rows,
)
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import atomic_file
from engage_pipeline.ingest.facts import SeveralPartsFacts
from engage_pipeline.machine.shares import threads_of
from engage_pipeline.model.trees.training import LEAST_LABELS, constant_logit
from engage_pipeline.numerics.logistic import log_losses, sigmoid
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings, load_settings
from engage_pipeline.store.file_names import FEATURES
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.results import write_submission

READ_ARTIFACTS = ("interaction_features", "validation_features", "test_features")
"""The artifacts that it reads."""
PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "metric": "binary_logloss",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.3,
    "lambda_l2": 20.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
MOST_ROUNDS, STOPPING_ROUNDS = 1000, 50
MOST_ROWS = 2_000_000


@dataclass(frozen=True)
class ReferenceTrees:
    """A booster for each engagement in the order of schema.TARGETS, or the logit of its rate if trees are no better."""

    languages: Sequence[str]
    models: Sequence[Any | float]

    def probabilities(self, table: pa.Table) -> np.ndarray:
        """Returns the probabilities of feature rows, float64 [n, 4], in (0, 1)."""
        values = matrix(table, self.languages)
        logits = [
            np.full(len(values), model) if isinstance(model, float) else model.predict(values, raw_score=True)
            for model in self.models
        ]
        return sigmoid(np.column_stack(logits))


def train(rows: TrainingRows, settings: Settings) -> ReferenceTrees:
    """Finds the number of trees with the least log loss on the stopping rows, then grows as many on all rows.

    An engagement gets its rate instead if trees are no better on the stopping rows, or if it has too few labels.
    """
    import lightgbm

    parameters = PARAMETERS | {"seed": settings.seed, "num_threads": threads_of(settings)}
    names: dict[str, Any] = {
        "feature_name": list(REFERENCE_COLUMNS),
        "categorical_feature": [LANGUAGE],
        "params": parameters,
    }
    fitted = np.flatnonzero(~rows.stopping)
    stopping = np.flatnonzero(rows.stopping)
    whole = lightgbm.Dataset(rows.matrix, **names).construct()
    part = lightgbm.Dataset(rows.matrix[fitted], **names).construct()
    held = lightgbm.Dataset(rows.matrix[stopping], reference=part, **names).construct()
    models: list[Any | float] = []
    with progress("reference trees", len(schema.TARGETS), "engagements") as tracker:
        for number, target in enumerate(schema.TARGETS):
            labels = rows.labels[:, number]
            rounds = _rounds(parameters, part, held, labels[fitted], labels[stopping])
            if rounds:
                whole.set_label(labels.astype(np.float32))
                models.append(lightgbm.train(parameters, whole, rounds))
            else:
                models.append(constant_logit(labels))
            tracker.advance(1, f"{target}: {rounds} trees")
    return ReferenceTrees(rows.languages, models)


def _rounds(parameters: dict[str, Any], part: Any, held: Any, fitted: np.ndarray, stopping: np.ndarray) -> int:
    """Returns the number of trees with the least log loss on the stopping rows; 0 if the rate is as good."""
    import lightgbm

    if min(_rarer(fitted), _rarer(stopping)) < LEAST_LABELS:
        return 0
    part.set_label(fitted.astype(np.float32))
    held.set_label(stopping.astype(np.float32))
    curve: dict[str, Any] = {}
    callbacks: list[Any] = [lightgbm.early_stopping(STOPPING_ROUNDS, verbose=False), lightgbm.record_evaluation(curve)]
    lightgbm.train(parameters, part, MOST_ROUNDS, valid_sets=[held], callbacks=callbacks)
    losses = next(iter(curve.values()))["binary_logloss"]
    rate_loss = log_losses(np.full(len(stopping), constant_logit(fitted)), stopping).mean()
    best = int(np.argmin(losses))
    return best + 1 if losses[best] < rate_loss else 0


def _rarer(labels: np.ndarray) -> int:
    positives = int(labels.sum())
    return min(positives, len(labels) - positives)


def write_results(settings: Settings, output: Path) -> None:
    """Trains on the published features of `settings` and writes the results.csv `output`."""
    store = ArtifactStore(settings)
    training = store.part_paths("pretrained_network", FEATURES, "interaction_features")
    rows = read_training_rows(training, store.open("validation_features").path(FEATURES), settings.seed, MOST_ROWS)
    model = train(rows, settings)
    tweets, features = store.open("test_tweets"), store.open("test_features")
    files = [f"{part}.parquet" for part in SeveralPartsFacts.read(tweets.manifest).parts]
    with atomic_file(output) as temporary:
        write_submission(model, [features.path(file) for file in files], temporary)


def main() -> None:
    """Runs the child process."""
    config, output = map(Path, sys.argv[1:])
    try:
        write_results(load_settings(config), output)
    except UserError as error:
        sys.exit(f"engage: {error}")


if __name__ == "__main__":
    main()
