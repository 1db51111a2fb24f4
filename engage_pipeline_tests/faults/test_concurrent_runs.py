"""Processes at one artifact at the same time: one makes it, the others are refused; a reader sees one version."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.manifests import label
from engage_pipeline_tests import servers, worlds
from engage_pipeline_tests.dying import dying_engage
from engage_pipeline_tests.faults.nursery import Nursery

pytestmark = pytest.mark.long
ENGAGE = str(Path(sys.executable).with_name("engage"))
ROUNDS = 3
CONTENDED = ["tweet_parts", "trained_model"]


@pytest.mark.parametrize("name", CONTENDED)
def test_two_processes_never_make_the_same_artifact(config: Path, children: Nursery, name: str) -> None:
    store = worlds.store_of(config)
    key = "part-00001" if ARTIFACTS[name].partitioned else None
    assert children.make(name, key).failure is None
    before = store.open(name, key).manifest
    refused = 0
    for _ in range(ROUNDS):
        pids = [children.start(name, key) for _ in range(2)]
        failures = {ended.failure for ended in map(children.wait, pids)}
        step = f"{name}: {key}" if key else name
        assert failures <= {None, f"{step}: another run is making {label(name, key)}"}
        assert None in failures
        refused += len(failures) > 1
        now = store.open(name, key)
        assert now.directory().is_dir()
        assert now.manifest.files == before.files
    folders = [path.name for path in store.folder(name, key).iterdir() if is_version_folder(path)]
    assert not [folder for folder in folders if folder.startswith(".")]
    print(f"{name}: {refused} of {ROUNDS} pairs refused", file=sys.stderr)


PUBLISHER = """
import shutil, sys, time
from pathlib import Path
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.settings.settings import load_settings
store = ArtifactStore(load_settings(Path(sys.argv[1])))
bundles, counts = [Path(path) for path in sys.argv[2:4]], store.open("interaction_counts").directory()
held = Path(sys.argv[1]).with_name("counts")
shutil.copytree(counts, held)
print("ready", flush=True)
while True:
    for bundle in bundles:
        with store.publish("trained_model") as draft:
            shutil.copytree(bundle, draft.directory, dirs_exist_ok=True)
        with store.publish("interaction_counts") as draft:
            shutil.copytree(held, draft.directory, dirs_exist_ok=True)
        print("published", flush=True)
"""
READER = """
import sys
from pathlib import Path
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.submission.predict import predict
settings, output = load_settings(Path(sys.argv[1])), Path(sys.argv[2])
for number in range(int(sys.argv[3])):
    predict([settings.test_data], output.with_name(f"{output.name}-{number}.csv"), settings, threads=1)
"""
READERS, READS = 2, 8


def test_predictions_are_of_one_model_while_models_are_published(config: Path, tmp_path: Path) -> None:
    from engage_pipeline.submission.predict import predict
    from engage_pipeline_tests.model.promotion.promotions import shift_outputs

    store = worlds.store_of(config)
    bundles, expected = [tmp_path / "one", tmp_path / "other"], set()
    shutil.copytree(store.open("trained_model").directory(), bundles[0])
    shutil.copytree(bundles[0], bundles[1])
    shift_outputs(bundles[1], 3.0)
    for bundle in bundles:
        with store.publish("trained_model") as draft:
            shutil.copytree(bundle, draft.directory, dirs_exist_ok=True)
        predict([store.settings.test_data], tmp_path / "results.csv", store.settings, threads=1)
        expected.add((tmp_path / "results.csv").read_bytes())
    assert len(expected) == 2
    log = tmp_path / "log"
    command = [sys.executable, "-c", PUBLISHER, str(config), *map(str, bundles)]
    with servers.running(command, log=log, ready=lambda: "ready" in servers.tail(log)):
        reading = [sys.executable, "-c", READER, str(config)]
        readers = [
            subprocess.Popen(
                [*reading, str(tmp_path / f"reader{number}"), str(READS)], stderr=subprocess.PIPE, text=True
            )
            for number in range(READERS)
        ]
        for reader in readers:
            _, errors = reader.communicate()
            assert reader.returncode == 0, errors
    seen = [path.read_bytes() for path in tmp_path.glob("reader*.csv")]
    assert len(seen) == READERS * READS
    assert set(seen) == expected
    assert "Error" not in servers.tail(log)
    print(f"{READERS * READS} reads beside {servers.tail(log).count('published')} publications", file=sys.stderr)
    assert not list(store.root.glob(".predict-*"))


def test_what_a_killed_prediction_left_is_swept_by_the_next(config: Path, tmp_path: Path) -> None:
    store = worlds.store_of(config)

    def left() -> list[Path]:
        return [*store.root.glob(".predict-*"), *tmp_path.glob(".predict-*")]

    output = tmp_path / "results.csv"
    arguments = ["predict", "--threads", "1", "--config", str(config), "--output", str(output)]
    arguments += ["--input", str(config.parent / "raw" / "test")]
    killed = subprocess.run(dying_engage("os.rename", str(output), *arguments), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(left()) == 2
    subprocess.run([ENGAGE, *arguments], capture_output=True, check=True)
    assert left() == []
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]
