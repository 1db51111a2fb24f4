"""How often the true probability of a test row is in the 95 % interval that `engage explain` shows.

    python -m engage_pipeline_tests.benchmarks.coverage --truth data/raw/test_truth.parquet

It reads the model and the test features of a finished run. `--truth` is the file of the test rows with true
probabilities (`p_like` …), in their order: `engage synthesize --oracle` writes it.
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
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.model.explanation.uncertainty import probability_intervals
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.opening import current_paths
from engage_pipeline.store.store import ArtifactStore

HEADER = "|  | inside | below | above |\n|---|--:|--:|--:|"


def coverage(store: ArtifactStore, truth: pa.Table) -> np.ndarray:
    """Returns the share of the test rows whose true probability is inside, below and above: float64 [4, 3]."""
    model = TrainedModel.load(store.open("trained_model").directory(), threads=1)
    found, start = np.zeros((len(schema.TARGETS), 3)), 0
    for path in current_paths(store, "test_features", files=True):
        table = FeatureFile(path).read()
        assert model.effects is not None
        deviations = np.sqrt(model.effects.scores(table).variances.sum(axis=1))
        low, high = probability_intervals(model.components(table)["blend"].astype(np.float64), deviations)
        rows = truth.slice(start, len(table))
        true = np.column_stack([rows[f"p_{target}"].to_numpy() for target in schema.TARGETS])
        below, above = true < low, true > high
        found += np.stack([~below & ~above, below, above], axis=2).sum(axis=0)
        start += len(table)
    return found / start


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.coverage", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings file [default: %(default)s]")
    parser.add_argument("--truth", type=Path, required=True, help="Parquet file of the test rows")
    options = parser.parse_args(arguments)
    print(HEADER)
    shares = coverage(ArtifactStore(load_settings(options.config)), pq.read_table(options.truth))
    for target, row in zip(schema.TARGETS, shares, strict=True):
        print(f"| {target} | {' | '.join(f'{100 * share:.1f}' for share in row)} |")


if __name__ == "__main__":
    main(sys.argv[1:])
