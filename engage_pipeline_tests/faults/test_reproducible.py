"""The same seed gives the same bytes in another process; another number of threads the same features and predictions.

What another number of threads changes is the training of the networks: torch cuts its sums over rows (batch and layer
normalisation, biases, bf16 weight gradients) by thread, so that the weights differ in their last digits.
"""

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.files import Fingerprint
from engage_pipeline.manifests import label
from engage_pipeline.plan import SEGMENTS
from engage_pipeline.submission.predict import predict
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.nursery import nursery

pytestmark = pytest.mark.slow
MADE = [name for names in SEGMENTS for name in names if name != "evaluation"]
"""All but the report, which shows when things were made."""


def files_of(store: ArtifactStore, *stages: Stage) -> dict[str, dict[str, Fingerprint]]:
    """Names, sizes and SHA-256 of what is published, by artifact and part; of these stages, if any are given."""
    return {
        label(name, key): store.open(name, key).manifest.files
        for name in MADE
        if not stages or ARTIFACTS[name].stage in stages
        for key in (store.parts() if ARTIFACTS[name].partitioned else [None])
    }


def run_again(config: Path, threads: int) -> ArtifactStore:
    """Makes everything anew, in order, each artifact in a process of its own."""
    worlds.write_config(config.parent, engine={"threads": threads})
    store = worlds.store_of(config)
    with nursery(config) as children:
        for name in MADE:
            for key in store.parts() if ARTIFACTS[name].partitioned else [None]:
                assert children.make(name, key).failure is None, label(name, key)
    return store


def probabilities(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8", newline="") as file:
        return np.array([line[2:] for line in csv.reader(file)], dtype=float)


@pytest.fixture(scope="module")
def config(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("again") / "world"
    shutil.copytree(finished_world, folder)
    return folder / "config.yaml"


def test_a_second_run_gives_the_same_bytes(config: Path, finished_world: Path) -> None:
    assert files_of(run_again(config, threads=2)) == files_of(worlds.store_of(finished_world / "config.yaml"))


def test_one_thread_gives_the_same_features_and_the_same_run_twice(config: Path, finished_world: Path) -> None:
    two = worlds.store_of(finished_world / "config.yaml")
    once = files_of(run_again(config, threads=1))
    store = worlds.store_of(config)
    assert files_of(store, Stage.INGEST, Stage.INTERACTIONS) == files_of(two, Stage.INGEST, Stage.INTERACTIONS)
    results = [each.open("submission").path("results.csv") for each in (store, two)]
    apart = np.abs(probabilities(results[0]) - probabilities(results[1])).max()
    print(f"models trained on 1 and on 2 threads: predictions differ by up to {apart:.1e}", file=sys.stderr)
    assert files_of(run_again(config, threads=1)) == once


def test_one_model_predicts_the_same_on_one_thread_and_two(finished_world: Path, tmp_path: Path) -> None:
    settings = worlds.store_of(finished_world / "config.yaml").settings
    found = []
    for threads in (1, 2):
        predict([settings.test_data], tmp_path / "results.csv", settings, threads=threads)
        found.append(probabilities(tmp_path / "results.csv"))
    assert np.abs(found[0] - found[1]).max() < 1e-6
