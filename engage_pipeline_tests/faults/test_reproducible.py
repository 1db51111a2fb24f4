"""The same seed gives the same bytes in another process, and with another number of threads or cores.

torch cuts its sums over rows (batch and layer normalisation, biases, bf16 weight gradients) by thread; so everything is
fitted on as many threads as the setting `training_threads` says, whatever engine.threads and the machine.
"""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.files.atomic import Fingerprint
from engage_pipeline.store.file_names import MODEL_CARD
from engage_pipeline.store.manifests import label
from engage_pipeline.store.plan import SEGMENTS
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.predict import predict
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.nursery import Nursery, nursery

pytestmark = pytest.mark.long
MADE = [name for names in SEGMENTS for name in names if name != "evaluation"]
"""All but the report, which shows when things were made."""


def files_of(store: ArtifactStore, *stages: Stage) -> dict[str, dict[str, Fingerprint]]:
    """Names, sizes and SHA-256 of what is published of these stages, by artifact and part.

    Left out is the model's card: it tells whether the model was promoted by this run or by one before.
    """
    return {
        label(name, key): {
            file: mark for file, mark in store.open(name, key).manifest.files.items() if file != MODEL_CARD
        }
        for name in MADE
        if ARTIFACTS[name].stage in stages
        for key in (store.parts() if ARTIFACTS[name].partitioned else [None])
    }


def make_all(children: Nursery, store: ArtifactStore, *stages: Stage) -> None:
    """Makes everything of these stages anew, in order, each artifact in a process of its own."""
    for name in MADE:
        if ARTIFACTS[name].stage in stages:
            for key in store.parts() if ARTIFACTS[name].partitioned else [None]:
                assert children.make(name, key).failure is None, label(name, key)


def probabilities(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8", newline="") as file:
        return np.array([line[2:] for line in csv.reader(file)], dtype=float)


@pytest.fixture(scope="module")
def config(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("again") / "world"
    worlds.copy_world(finished_world, folder)
    return folder / "config.yaml"


@contextmanager
def cores(count: int | None) -> Iterator[None]:
    """Processes that start within the block may use so many cores; None = as they are."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def test_a_second_run_gives_the_same_bytes_whatever_its_threads_and_cores(config: Path) -> None:
    runs = []
    for threads, count in ((2, None), (1, 1)):
        worlds.write_config(config.parent, engine={"threads": threads}, training_threads=4)
        store = worlds.store_of(config)
        with cores(count), nursery(config) as children:
            make_all(children, store, *Stage)
        runs.append(files_of(store, *Stage))
    assert runs[0] == runs[1]


def test_one_model_predicts_the_same_on_one_thread_and_two(finished_world: Path, tmp_path: Path) -> None:
    settings = worlds.store_of(finished_world / "config.yaml").settings
    found = []
    for threads in (1, 2):
        predict([settings.test_data], tmp_path / "results.csv", settings, threads=threads)
        found.append(probabilities(tmp_path / "results.csv"))
    assert np.abs(found[0] - found[1]).max() < 1e-6
