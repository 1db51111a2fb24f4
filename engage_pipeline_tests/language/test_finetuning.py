import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: TID253 - the modules under test are about torch

from engage_pipeline.errors import UserError
from engage_pipeline.language import mlm_training
from engage_pipeline.language.encoders import load_encoder, load_weights
from engage_pipeline.language.finetuning import finetune_encoder, loss_curve, split
from engage_pipeline.language.mlm_training import heldout_loss, rate_factor
from engage_pipeline.language.ragged import TokenLists
from engage_pipeline.language.tweets import distinct_tweets
from engage_pipeline_tests.language.corpora import (
    counting_tweets,
    encoder_settings,
    random_tweets,
    small_encoder,
    write_tweets,
)
from engage_pipeline_tests.tracking.mlflow_runs import curve_of, runs_of

KILLED = """
import sys, json
from pathlib import Path
from engage_pipeline.language.finetuning import finetune_encoder
from engage_pipeline_tests.dying import kill_before
from engage_pipeline_tests.language.corpora import encoder_settings
folder, model, encoder = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
settings = encoder_settings(folder, model, **encoder)
kill_before("os.mkdir", "*/.tmp-resume", times=2)  # the first state is kept, the second begun
finetune_encoder([folder / "tweets.parquet"], folder / "lost", folder / "work", settings, bf16=False)
"""


def finetune(folder: Path, name: str, **encoder: object) -> dict:
    for part in ("work", name):
        (folder / part).mkdir(exist_ok=True)
    settings = encoder_settings(folder, folder / "encoder", **encoder)
    tweets = [folder / "tweets.parquet"]
    return finetune_encoder(tweets, folder / name, folder / "work", settings, bf16=False)


def empty_work(folder: Path) -> None:
    shutil.rmtree(folder / "work")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_encoder(tmp_path / "encoder")
    write_tweets(tmp_path / "tweets.parquet", counting_tweets(200, seed=0))
    return tmp_path


def test_the_heldout_loss_falls_and_the_facts_tell_it(folder: Path) -> None:
    facts = finetune(folder, "out", epochs=12, learning_rate=1e-2, heldout_share=0.1)
    assert (facts["tweets"], facts["heldout_tweets"]) == (180, 20)
    assert facts["steps"] == 12 * 23
    assert facts["heldout_loss_before"] == pytest.approx(np.log(400), rel=0.1)
    assert facts["heldout_loss_after"] < facts["heldout_loss_before"] - 2
    assert len(facts["losses"]) == 200
    assert facts["loss_steps"][-1] == 276
    assert facts["losses"][-1] < facts["losses"][0] - 2
    assert json.loads((folder / "out" / "loss.json").read_text()) == facts


def test_the_heldout_losses_are_those_of_the_published_and_the_starting_encoder(folder: Path) -> None:
    facts = finetune(folder, "out", heldout_share=0.2)
    settings = encoder_settings(folder, folder / "encoder", heldout_share=0.2)
    table = distinct_tweets([folder / "tweets.parquet"], max_tweets=None, settings=settings)
    lists = TokenLists.of_table(table, 32)
    heldout = lists.take(split(len(lists), 0.2, settings.seed)[1])
    for name, key in (("encoder", "heldout_loss_before"), ("out", "heldout_loss_after")):
        assert heldout_loss(load_encoder(folder / name), heldout, settings, bf16=False) == pytest.approx(facts[key])


def test_only_the_files_of_an_artifact_are_written(folder: Path) -> None:
    before = set(folder.rglob("*"))
    facts = finetune(folder, "out", save_steps=10)
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {"config.json", "model.safetensors", "loss.json", "step-10.safetensors", "step-20.safetensors"}
    assert facts["checkpoints"] == [10, 20]
    new = {path for path in set(folder.rglob("*")) - before if path.parts[len(folder.parts)] not in {"out", "work"}}
    assert {path.name for path in new} <= {".spill"}


def test_checkpoints_are_the_weights_on_the_way(folder: Path) -> None:
    finetune(folder, "out", save_steps=10)
    weights = [load_encoder(folder / "out", step).state_dict() for step in (10, 20, None)]
    for one, other in ((0, 1), (1, 2)):
        assert any(not torch.equal(weights[one][name], weights[other][name]) for name in weights[0])


def test_no_epochs_publish_the_encoder_as_it_is(folder: Path) -> None:
    facts = finetune(folder, "out", epochs=0)
    assert facts["steps"] == 0
    assert facts["heldout_loss_after"] == facts["heldout_loss_before"]
    start, end = load_encoder(folder / "encoder").state_dict(), load_encoder(folder / "out").state_dict()
    assert all(torch.equal(start[name], end[name]) for name in start)


def test_the_same_seed_gives_the_same_bytes_and_settings_have_an_effect(folder: Path) -> None:
    def weights(**encoder: object) -> bytes:
        name = f"out{len(list(folder.iterdir()))}"
        finetune(folder, name, **encoder)
        empty_work(folder)
        return (folder / name / "model.safetensors").read_bytes()

    base = weights()
    assert weights() == base
    for change in (
        {"max_tokens": 6},
        {"mask_probability": 0.3},
        {"heldout_share": 0.3},
        {"learning_rate": 2e-3},
        {"weight_decay": 0.5},
        {"warmup_steps": 1},
        {"batch_size": 4},
        {"epochs": 2},
        {"max_tweets": 100},
    ):
        assert weights(**change) != base, change


@pytest.mark.long
def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been_killed(folder: Path) -> None:
    encoder = {"epochs": 8, "save_steps": 7}
    whole = finetune(folder, "whole", **encoder)
    empty_work(folder)
    (folder / "work").mkdir()
    command = [sys.executable, "-c", KILLED, str(folder), str(folder / "encoder"), json.dumps(encoder)]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=False)
    assert killed.returncode == -signal.SIGKILL
    (state,) = (folder / "work").glob("resume-*")
    assert state.name == "resume-7"
    assert whole["steps"] > 14

    history = json.loads((state / "history.json").read_text())
    assert history["heldout_before"] == pytest.approx(whole["heldout_loss_before"])
    (state / "history.json").write_text(json.dumps({**history, "heldout_before": 123.0}))
    resumed = finetune(folder, "resumed", **encoder)
    assert resumed == {**whole, "heldout_loss_before": 123.0}
    for name in ("model.safetensors", "step-7.safetensors", f"step-{whole['checkpoints'][-1]}.safetensors"):
        assert (folder / "whole" / name).read_bytes() == (folder / "resumed" / name).read_bytes(), name


def test_states_are_kept_between_rare_checkpoints(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlm_training, "SECONDS_BETWEEN_STATES", 0.0)
    facts = finetune(folder, "out")
    assert [path.name for path in (folder / "work").iterdir()] == [f"resume-{facts['steps']}"]
    assert finetune(folder, "again") == facts
    for path in (folder / "out").iterdir():
        assert (folder / "again" / path.name).read_bytes() == path.read_bytes(), "killed after its last step"


def test_divergence_stops_with_one_line_and_keeps_the_last_good_state(folder: Path) -> None:
    with pytest.raises(UserError, match=r"finetuned_encoder: .* at step \d+; .*lower encoder\.learning_rate"):
        finetune(folder, "out", learning_rate=1e30, save_steps=1, warmup_steps=0)
    assert list((folder / "out").iterdir()) == []
    for state in (folder / "work").glob("resume-*"):
        model = load_encoder(folder / "encoder")
        load_weights(model, state / "model.safetensors")
        assert all(weight.isfinite().all() for weight in model.parameters())


def test_a_loss_that_is_not_finite_stops_at_once(folder: Path) -> None:
    with pytest.raises(UserError, match=r"the loss is (nan|inf) at step \d;"):
        finetune(folder, "out", learning_rate=1e30, warmup_steps=0)


def test_tokens_that_the_encoder_does_not_know_are_named(folder: Path) -> None:
    write_tweets(folder / "tweets.parquet", [*random_tweets(5, 0), ("f" * 32, [101, 400, 102])])
    with pytest.raises(UserError, match="token 400 is not one of the encoder's 400"):
        finetune(folder, "out")


def test_one_tweet_is_not_enough(folder: Path) -> None:
    write_tweets(folder / "tweets.parquet", random_tweets(1, 0))
    with pytest.raises(UserError, match="at least 2 are needed"):
        finetune(folder, "out")


def test_a_tracker_gets_the_means_of_neighbouring_losses(folder: Path) -> None:
    """276 steps: the first 76 points of the facts are means of two steps, as all of the tracker's are."""
    for part in ("work", "out"):
        (folder / part).mkdir()
    settings = encoder_settings(folder, folder / "encoder", epochs=12, heldout_share=0.1)
    settings = settings.model_copy(update={"trackers": ("mlflow",)})
    facts = finetune_encoder([folder / "tweets.parquet"], folder / "out", folder / "work", settings, bf16=False)
    (run,) = runs_of(folder)
    curve = curve_of(folder, run, "loss")
    assert [step for step, _ in curve] == list(range(2, 277, 2))
    assert [value for _, value in curve[:76]] == pytest.approx(facts["losses"][:76], abs=1e-6)


def test_it_runs_silently(folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    finetune(folder, "out")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_another_accelerator_of_the_process_is_free_in_its_settings(folder: Path) -> None:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)  # of what other tests trained in this process
    Accelerator(mixed_precision="bf16", cpu=True)
    finetune(folder, "out")
    assert Accelerator(mixed_precision="bf16", cpu=True).mixed_precision == "bf16"


def test_split_is_disjoint_whole_and_of_the_set_share() -> None:
    training, heldout = split(1000, 0.02, seed=3)
    assert len(heldout) == 20
    assert sorted([*training, *heldout]) == list(range(1000))
    assert heldout.max() > 500 > heldout.min()
    assert [len(rows) for rows in split(3, 0.001, 0)] == [2, 1]
    assert [len(rows) for rows in split(3, 0.999, 0)] == [1, 2]


def test_loss_curve_averages_runs_of_steps() -> None:
    assert loss_curve([3.0, 1.0]) == {"loss_steps": [1, 2], "losses": [3.0, 1.0]}
    assert loss_curve([]) == {"loss_steps": [], "losses": []}
    curve = loss_curve([float(step) for step in range(1, 401)])
    assert curve["loss_steps"] == list(range(2, 401, 2))
    assert curve["losses"] == [step - 0.5 for step in curve["loss_steps"]]


def test_rate_rises_to_the_peak_and_falls_to_zero() -> None:
    assert [rate_factor(step, 4, 12) for step in (0, 2, 4, 8, 12)] == [0, 0.5, 1, 0.5, 0]
    assert rate_factor(0, 0, 10) == 1
    assert rate_factor(3, 10, 5) == 0.3
