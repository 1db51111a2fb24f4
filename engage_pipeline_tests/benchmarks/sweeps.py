"""What the sweeps of the effects bring: quality on test rows and CPU time, by the number of sweeps.

    taskset -c 0 python -m engage_pipeline_tests.benchmarks.sweeps --truth data/raw/test_truth.parquet

It fits the effects to the features of a finished run, in a folder of its own. `--truth` is the file of the test rows
with labels (`like` …) and true probabilities (`p_like` …), in their order: `engage synthesize --oracle` writes it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.metrics.scores import relative_cross_entropy
from engage_pipeline.model.effects.scoring import EffectScorer, copy_clusters, load_clusters
from engage_pipeline.model.effects.training import train_effects
from engage_pipeline.numerics.logistic import sigmoid
from engage_pipeline.settings.settings import Settings, load_settings
from engage_pipeline.store.file_names import FEATURES
from engage_pipeline.store.opening import current_paths
from engage_pipeline.store.store import ArtifactStore


@dataclass(frozen=True)
class SweepFigures:
    """Fitted rows, seconds of CPU, and the share of the oracle's RCE in percent by engagement, in the order of TARGETS.

    `sweeps` is effects.sweeps.
    """

    sweeps: int
    rows: int
    seconds: float
    shares: Sequence[float]

    def to_markdown(self) -> str:
        """A line of the table."""
        cells = [*self.shares, np.mean(self.shares), self.seconds]
        return f"| {self.sweeps} | {self.rows:,} | {' | '.join(f'{value:.1f}' for value in cells)} |"


HEADER = (
    f"| sweeps | rows | {' | '.join(schema.TARGETS)} | mean | CPU s |\n|--:|--:|{'--:|' * (len(schema.TARGETS) + 2)}"
)


def measure(store: ArtifactStore, settings: Settings, truth: pa.Table, sweeps: int) -> SweepFigures:
    """Fits the effects by `sweeps` and scores the test rows by them."""
    training = store.part_paths("engagement_effects", FEATURES, "interaction_features")
    validation = store.open("validation_features").path(FEATURES)
    test = current_paths(store, "test_features", files=True)
    settings = settings.model_copy(update={"effects": settings.effects.model_copy(update={"sweeps": sweeps})})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_clusters(store.open("tweet_topics").directory(), store.open("user_communities").directory(), folder)
        started = time.process_time()
        facts = train_effects(training, validation, load_clusters(folder), folder, settings)
        seconds = time.process_time() - started
        scorer = EffectScorer.load(folder)
        logits = np.concatenate([scorer.columns(FeatureFile(path).read()) for path in test])
    return SweepFigures(sweeps, facts["rows"], seconds, _shares(truth, sigmoid(logits)))


def _shares(truth: pa.Table, probabilities: np.ndarray) -> list[float]:
    """Returns the share of the oracle's RCE of `probabilities` [n, 4], in percent by engagement."""
    found = []
    for place, target in enumerate(schema.TARGETS):
        labels = truth[target].to_numpy().astype(np.bool_)
        oracle = relative_cross_entropy(labels, truth[f"p_{target}"].to_numpy())
        found.append(100 * relative_cross_entropy(labels, probabilities[:, place]) / oracle)
    return found


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m engage_pipeline_tests.benchmarks.sweeps", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings file [default: %(default)s]")
    parser.add_argument("--truth", type=Path, required=True, help="Parquet file of the test rows")
    parser.add_argument("--sweeps", type=int, nargs="+", default=[30, 15, 8], help="[default: %(default)s]")
    options = parser.parse_args(arguments)
    settings = load_settings(options.config)
    store, truth = ArtifactStore(settings), pq.read_table(options.truth)
    print(HEADER)
    for sweeps in options.sweeps:
        print(measure(store, settings, truth, sweeps).to_markdown(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
