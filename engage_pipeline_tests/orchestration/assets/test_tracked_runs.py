"""A whole run that MLflow follows: what each artifact hands over, and that nothing else changes."""

import logging
import shutil
import socket
from pathlib import Path

import pytest

from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.model.facts import EvaluationFacts, NetworkFacts, TreesFacts
from engage_pipeline.orchestration.preflight import TRACKED
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.tracking.mlflow_runs import curve_of, runs_of

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def tracked(finished_world: Path, tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """A world whose models and encoder were made once more, with a tracker."""
    folder = tmp_path_factory.mktemp("tracked") / "world"
    worlds.copy_world(finished_world, folder)
    for name in (*TRACKED, "candidate_model", "trained_model"):
        shutil.rmtree(worlds.store_of(folder / "config.yaml").folder(name))
    config = worlds.write_config(folder, trackers=["mlflow"])
    worlds.run(config, "evaluation")
    return worlds.store_of(config)


def run_of(store: ArtifactStore, artifact: str) -> object:
    (run,) = [run for run in runs_of(store.root) if run.info.run_name.startswith(f"{artifact}-")]
    assert run.info.status == "FINISHED"
    return run


def test_each_training_and_the_evaluation_has_one_run(tracked: ArtifactStore) -> None:
    names = sorted(run.info.run_name.rpartition("-")[0] for run in runs_of(tracked.root))
    assert names == sorted([*TRACKED, "finetuned_network-all-rows"])


@pytest.mark.parametrize("artifact", ["pretrained_network", "finetuned_network"])
def test_a_network_hands_over_its_learning_curve(tracked: ArtifactStore, artifact: str) -> None:
    facts = NetworkFacts.read(tracked.open(artifact).manifest)
    (run,) = [one for one in runs_of(tracked.root) if one.info.run_name.rpartition("-")[0] == artifact]
    curve = [(point["step"], point["reply"]) for point in facts.curve]
    assert curve_of(tracked.root, run, "loss/reply") == curve
    assert run.data.params["network.hidden_size"] == "16"


def test_trees_hand_over_their_rounds(tracked: ArtifactStore) -> None:
    facts, run = TreesFacts.read(tracked.open("engagement_trees").manifest), run_of(tracked, "engagement_trees")
    assert any(len(one.curve) > 1 for one in facts.engagements.values())
    for name, one in facts.engagements.items():
        assert curve_of(tracked.root, run, f"loss/{name}") == list(enumerate(one.curve))


def test_the_encoder_hands_over_its_loss(tracked: ArtifactStore) -> None:
    facts, run = EncoderFacts.read(tracked.open("finetuned_encoder").manifest), run_of(tracked, "finetuned_encoder")
    assert curve_of(tracked.root, run, "loss") == [
        (step, pytest.approx(loss, abs=1e-6)) for step, loss in facts.training_curve()
    ]


def test_an_evaluation_hands_over_scores_with_the_model_s_version(tracked: ArtifactStore) -> None:
    facts, run = EvaluationFacts.read(tracked.open("evaluation").manifest), run_of(tracked, "evaluation")
    for model, scores in facts.scores.items():
        prefix = "" if model == facts.main_model else f"{model}/"
        for name, one in scores.items():
            for metric in ("ap", "rce"):
                assert run.data.metrics.get(f"{prefix}{metric}/{name}") == one[metric]
    assert run.data.params["candidate"] == tracked.open("candidate_model").manifest.version
    assert run.data.params["trained_model"] == tracked.open("trained_model").manifest.version


def test_no_id_of_a_person_is_handed_over(tracked: ArtifactStore) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(tracked.open("validation_tweets").path("tweets.parquet"))
    ids = {one for name in ("engaging_user_id", "engaged_with_user_id", "tweet_id") for one in table[name].to_pylist()}
    for path in (tracked.root / "trackers").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [one for one in ids if one.encode() in content], path


def test_what_is_made_is_the_same_with_a_tracker(tracked: ArtifactStore, finished_world: Path) -> None:
    plain = worlds.store_of(finished_world / "config.yaml")
    for name in (*TRACKED[:-1], "candidate_model"):
        assert tracked.open(name).manifest.version == plain.open(name).manifest.version, name
    assert tracked.stale("pretrained_network") is None
    assert not [path for name in TRACKED for path in tracked.folder(name).glob(".work-*")]


def test_a_run_whose_tracker_is_down_is_made_with_one_warning(
    world: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = worlds.write_config(world, trackers=["mlflow"])
    shutil.rmtree(worlds.store_of(config).folder("evaluation"))
    caplog.set_level(logging.WARNING, "engage_pipeline")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and nobody listens
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed.getsockname()[1]}")
        worlds.run(config, "evaluation")
    assert worlds.store_of(config).open("evaluation")
    (line,) = [record.getMessage() for record in caplog.records if "trackers:" in record.getMessage()]
    assert "goes on without it" in line
