"""How well viewers without any row are predicted, and how well they could be: a ceiling for the cold start.

    python -m engage_pipeline_tests.benchmarks.newcomers --oracle data/raw

It reads the model, the validation features and the test features of a finished run. `--oracle` is the folder with
test_oracle.parquet and validation_oracle.parquet: `engage synthesize --oracle` writes them.

The ceilings are LightGBM trained on true probabilities instead of labels. It sees nothing of the viewer's history, and
no viewer that it is asked for. One knows author and tweet by the mean of the true log-odds of their other rows, the
other by what the model's effects say of them, which know labels alone. Shares are of the RCE that the true
probabilities have in expectation, since newcomers have few labels.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.machine.threads import limited_threads
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.opening import current_paths
from engage_pipeline.store.store import ArtifactStore

HEADER = "|  | predicted | ceiling, true of author and tweet | ceiling, by the effects |\n|---|--:|--:|--:|"
AUTHOR, VIEWER, TWEET = "engaged_with_user_id", "engaging_user_id", "tweet_id"
KINDS = ("test", "validation")
EXPOSURES = ("viewer_exposures", "valid_viewer_exposures")
FOLDS, ROUNDS, PRIOR_ROWS, ROWS_AT_ONCE = 5, 300, 2, 16_384
"""Folds of viewers; rounds of boosting; rows that the mean counts for in the mean of an author or a tweet; rows that
the effects score at a time."""
_SETTINGS = {"objective": "cross_entropy", "learning_rate": 0.05, "min_data_in_leaf": 50, "verbose": -1}


def shares(store: ArtifactStore, oracle: Path) -> tuple[int, np.ndarray]:
    """Returns how many test rows are of newcomers, and their share of the oracle's expected RCE, by the model and by
    both ceilings: float64 [4, 3]."""
    (test, true_of_test), (validation, true_of_validation) = (_rows(store, oracle, kind) for kind in KINDS)
    table = pa.concat_tables([test, validation], promote_options="default")
    true = np.vstack([true_of_test, true_of_validation])
    new = np.zeros(len(table), np.bool_)
    new[: len(test)] = sum(test[name].to_numpy() for name in EXPOSURES) == 0
    model = TrainedModel.load(store.open("trained_model").directory(), threads=1)
    predicted = model.probabilities(test.filter(pa.array(new[: len(test)])))
    seen = visible(table)
    possible = [
        ceiling(table, true, np.column_stack([seen, known]))[new]
        for known in (truth_of_others(table, true), said_by_effects(model, table))
    ]
    found = [[share(own[:, e], true[new, e]) for own in (predicted, *possible)] for e in range(len(schema.TARGETS))]
    return int(new.sum()), np.array(found)


def _rows(store: ArtifactStore, oracle: Path, kind: str) -> tuple[pa.Table, np.ndarray]:
    """Returns the features of the rows and their true probabilities, float64 [n, 4], in the same order."""
    table = pa.concat_tables(
        [FeatureFile(path).read() for path in current_paths(store, f"{kind}_features", files=True)]
    )
    true = pq.read_table(oracle / f"{kind}_oracle.parquet", columns=list(schema.TARGETS))
    taken = true.take(table["line_number"]) if kind == "validation" else true
    return table, np.column_stack([taken[target].to_numpy() for target in schema.TARGETS]).astype(np.float64)


def ceiling(table: pa.Table, true: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Returns probabilities float64 [n, 4] of all rows by `matrix` [n, columns], each by a model without the rows of
    its viewer."""
    import lightgbm as lgb

    fold = _codes(table[VIEWER]) * 2_654_435_761 % (1 << 32) % FOLDS
    found = np.zeros_like(true)
    with limited_threads(1):
        for engagement, number in np.ndindex(true.shape[1], FOLDS):
            own = fold == number
            data = lgb.Dataset(matrix[~own], true[~own, engagement])
            found[own, engagement] = lgb.train({**_SETTINGS, "num_threads": 1}, data, ROUNDS).predict(matrix[own])
    return found


def visible(table: pa.Table) -> np.ndarray:
    """Returns what a row shows without the viewer's history, float64 [n, columns]."""
    counters = ("author", "language", "hashtag")
    names = [
        *schema.PROFILE_NUMBERS,
        *schema.BINARY_FEATURES,
        *(f"{counter}_{target}" for counter in counters for target in schema.TARGETS),
        *(f"{counter}_exposures" for counter in counters),
        "hour",
        "engagement_day",
    ]
    columns = [table[name].cast(pa.float64()).to_numpy() for name in names if name in table.column_names]
    return np.column_stack([*columns, _codes(table["language"])])


def truth_of_others(table: pa.Table, true: np.ndarray) -> np.ndarray:
    """Returns the true log-odds of the other rows of a row's tweet and author, and their number: float64 [n, 10]."""
    columns, log_odds = [], np.log(true) - np.log1p(-true)
    for name in (TWEET, AUTHOR):
        codes = _codes(table[name])
        rows = np.bincount(codes)[codes]
        columns.append(rows - 1.0)
        for own in log_odds.T:
            others = np.bincount(codes, own)[codes] - own + PRIOR_ROWS * own.mean()
            columns.append(others / (rows - 1 + PRIOR_ROWS))
    return np.column_stack(columns)


def said_by_effects(model: TrainedModel, table: pa.Table) -> np.ndarray:
    """Returns what each family of the model's effects adds to the log-odds, and what all say: float64 [n, columns]."""
    if model.effects is None:
        raise ValueError("the model has no effects")
    pieces = [table.slice(start, ROWS_AT_ONCE) for start in range(0, len(table), ROWS_AT_ONCE)]
    families = [model.effects.scores(piece).families.reshape(len(piece), -1) for piece in pieces]
    return np.hstack([np.concatenate(families), np.concatenate([model.effects.columns(piece) for piece in pieces])])


def share(predicted: np.ndarray, true: np.ndarray) -> float:
    """Returns the expected RCE of `predicted` in percent of that of `true`, both float64 [n]."""

    def loss(own: np.ndarray) -> float:
        own = np.clip(own, 1e-9, 1 - 1e-9)
        return float(-(true * np.log(own) + (1 - true) * np.log1p(-own)).mean())

    constant = loss(np.full(len(true), true.mean()))
    return 100 * (constant - loss(predicted)) / (constant - loss(true))


def _codes(values: pa.ChunkedArray) -> np.ndarray:
    return np.unique(values.cast(pa.string()).fill_null("").to_numpy(), return_inverse=True)[1]


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.newcomers", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings file [default: %(default)s]")
    parser.add_argument("--oracle", type=Path, required=True, help="folder of the oracle's files")
    options = parser.parse_args(arguments)
    rows, found = shares(ArtifactStore(load_settings(options.config)), options.oracle)
    print(f"{rows:,} test rows of viewers without a row\n\n{HEADER}")
    for name, row in zip([*schema.TARGETS, "mean"], [*found, found.mean(axis=0)], strict=True):
        print(f"| {name} | {' | '.join(f'{cell:.1f}' for cell in row)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
