"""kill -9 of a run that has counted anew and has not come to its decision: the model that predicts reads the counters
that it was promoted with, wherever it predicts, and says so where they are gone."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from engage_pipeline import schema
from engage_pipeline.commands.app import app
from engage_pipeline.errors import UserError
from engage_pipeline.model.promotion.rollback import roll_back
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.promoted_counters import COUNTERS
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.submission.explanation.explain import explain
from engage_pipeline.submission.predict import predict
from engage_pipeline.submission.predictor import Predictor
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long
DYING = """
import os, signal, sys
from engage_pipeline import cli
place = sys.argv.pop(1)
def note(event, arguments):
    if event == "os.mkdir" and place in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(note)
cli.main()
"""
BEFORE_THE_DECISION = "/trained_model/.tmp-"
BEFORE_NEW_FEATURES = "/validation_features/.tmp-"


def add_part(config: Path, name: str, source: str) -> None:
    """A training part whose viewers like what they saw in the part `source` in new tweets: their counters change."""
    train = config.parent / "raw" / "train"
    tweet, written, liked = (
        schema.COLUMN_NAMES.index(name) for name in ("tweet_id", "tweet_timestamp", "like_timestamp")
    )
    lines = []
    for line in (train / source).read_text(encoding="utf-8").splitlines()[::2]:
        fields = line.split(schema.FIELD_SEPARATOR)
        fields[tweet] = fields[tweet][::-1]
        fields[liked] = fields[written]
        lines.append(schema.FIELD_SEPARATOR.join(fields))
    (train / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_and_die(config: Path, place: str) -> None:
    """`engage run`, killed when it is about to make the first folder with `place` in its path."""
    command = [sys.executable, "-c", DYING, place, "run", "--config", str(config)]
    environment = {**os.environ, "DAGSTER_HOME": str(config.parent)}
    died = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr


def counters(store: ArtifactStore) -> dict[str, str]:
    return {name: store.open(name).manifest.version for name in COUNTERS}


def csv(config: Path) -> bytes:
    output = config.with_name("predicted.csv")
    settings = load_settings(config)
    predict([settings.test_data], output, settings, threads=1)
    return output.read_bytes()


def one_row(config: Path) -> np.ndarray:
    line = (config.parent / "raw" / "test" / "part-00000").read_bytes().splitlines(keepends=True)[7]
    return Predictor.open(load_settings(config), threads=1).predict(line)


def explained(config: Path) -> dict:
    return explain(config.parent / "raw" / "test" / "part-00000", 7, load_settings(config), threads=1).features


def submitted(store: ArtifactStore) -> bytes:
    return store.open("submission").path("results.csv").read_bytes()


def submit(config: Path) -> None:
    """Materializes test_features and results.csv alone, as a person may do in the UI."""
    import dagster as dg

    from engage_pipeline.definitions import build_definitions
    from engage_pipeline.orchestration.resources import Pipeline
    from engage_pipeline.orchestration.running import materialize
    from engage_pipeline.store.plan import Step

    definitions = build_definitions(Pipeline(config=str(config)))
    with dg.DagsterInstance.ephemeral() as instance:
        for name in ("test_features", "submission"):
            assert materialize(definitions, instance, [[Step(name, None, "asked for")]]) == []


def test_the_old_model_never_reads_the_new_counters(finished_world: Path, tmp_path: Path) -> None:
    worlds.copy_world(finished_world, tmp_path)
    config = worlds.write_config(tmp_path, promotion={"tolerance": 1e6})
    store = worlds.store_of(config)
    before, results = counters(store), submitted(store)
    expected = csv(config), one_row(config).tolist(), explained(config)

    for name, source, place in (
        ("part-00003", "part-00000", BEFORE_THE_DECISION),
        ("part-00004", "part-00001", BEFORE_NEW_FEATURES),
    ):
        add_part(config, name, source)
        run_and_die(config, place)
        now = counters(store)
        assert now["interaction_counts"] != before["interaction_counts"]
        assert (csv(config), one_row(config).tolist(), explained(config)) == expected
    submit(config)
    assert submitted(store) == results

    made = [step.artifact for step in worlds.run(config)]
    assert {"trained_model", "submission"} <= set(made)
    assert worlds.run(config) == []
    assert counters(store) == store.open("trained_model").manifest.facts["counters"] != before
    assert csv(config) == submitted(store) != results
    new = csv(config)

    roll_back(store)
    assert csv(config) == expected[0]
    assert [step.artifact for step in worlds.run(config)] == ["evaluation", "submission"]
    assert submitted(store) == results
    assert worlds.run(config) == []
    roll_back(store, store.kept("trained_model")[0].manifest.version)
    assert csv(config) == new


def test_counters_that_are_gone_are_named_and_mixed_only_if_asked_for(finished_world: Path, tmp_path: Path) -> None:
    worlds.copy_world(finished_world, tmp_path)
    config = tmp_path / "config.yaml"
    store = worlds.store_of(config)
    before, expected = counters(store)["interaction_counts"], csv(config)
    add_part(config, "part-00003", "part-00000")
    run_and_die(config, BEFORE_THE_DECISION)
    (kept,) = store.kept("interaction_counts")
    shutil.rmtree(kept.folder / kept.manifest.directory)
    settings, now = load_settings(config), counters(store)["interaction_counts"]
    line = f"interaction_counts {before[:8]} (published: {now[:8]})"
    for refused in (lambda: csv(config), lambda: one_row(config), lambda: explained(config)):
        with pytest.raises(UserError) as caught:
            refused()
        assert line in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "--allow-mixed" in str(caught.value)
    output = tmp_path / "mixed.csv"
    arguments = ["predict", "--config", str(config), "--input", str(settings.test_data), "--output", str(output)]
    assert isinstance(CliRunner().invoke(app, arguments).exception, UserError)
    assert not output.exists()
    mixed = CliRunner().invoke(app, [*arguments, "--allow-mixed"])
    assert mixed.exit_code == 0, mixed.output
    assert len(output.read_bytes().splitlines()) == len(expected.splitlines())
    assert output.read_bytes() != expected
    worlds.run(config)
    assert csv(config) == submitted(store)
