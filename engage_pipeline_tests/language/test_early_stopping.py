import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: TID253 - the modules under test are about torch

from engage_pipeline.errors import UserError
from engage_pipeline.language import early_stopping, mlm_training
from engage_pipeline.language.early_stopping import best_of, has_stalled, is_measured, some_of
from engage_pipeline.language.encoders import load_encoder
from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.language.finetuning import finetune_encoder
from engage_pipeline.language.ragged import TokenLists
from engage_pipeline.settings.computing import EncoderSettings
from engage_pipeline_tests.language.corpora import encoder_settings, random_tweets, small_encoder, write_tweets

OVERFITTING = {"epochs": 30, "learning_rate": 2e-3, "heldout_share": 0.1, "save_steps": 7}
"""Random tweets have nothing to learn but the frequencies of tokens: soon the loss of others only rises."""
KILLED = """
import sys, json
from pathlib import Path
from engage_pipeline.language import mlm_training
from engage_pipeline.language.finetuning import finetune_encoder
from engage_pipeline_tests.dying import kill_before
from engage_pipeline_tests.language.corpora import encoder_settings
folder, encoder, times = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
settings = encoder_settings(folder, folder / "encoder", **encoder)
kill_before("os.mkdir", "*/.tmp-resume", times=times)
finetune_encoder([folder / "tweets.parquet"], folder / "lost", folder / "work", settings, bf16=False)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_encoder(tmp_path / "encoder")
    write_tweets(tmp_path / "tweets.parquet", random_tweets(80, seed=0))
    return tmp_path


def finetune(folder: Path, name: str, **encoder: object) -> dict[str, Any]:
    for part in ("work", name):
        (folder / part).mkdir(exist_ok=True)
    settings = encoder_settings(folder, folder / "encoder", **encoder)
    return finetune_encoder([folder / "tweets.parquet"], folder / name, folder / "work", settings, bf16=False)


def afresh(folder: Path, name: str, **encoder: object) -> dict[str, Any]:
    shutil.rmtree(folder / "work", ignore_errors=True)
    return finetune(folder, name, **encoder)


def same_weights(one: Path, other: Path) -> bool:
    weights, others = (load_encoder(path).state_dict() for path in (one, other))
    return all(torch.equal(weights[name], others[name]) for name in weights)


def test_it_stops_once_the_heldout_loss_no_longer_falls(folder: Path) -> None:
    facts = finetune(folder, "out", patience=3, **OVERFITTING)
    assert facts["planned_steps"] == 270
    assert facts["steps"] < 270
    steps, losses = zip(*facts["heldout_losses"], strict=True)
    assert steps == tuple(range(14, facts["steps"] + 1, 14))  # every twentieth of 270, rounded up
    best = min(losses[:-3])
    assert min(losses[-3:]) > best * 0.998
    for earlier in range(1, len(losses) - 3):
        assert min(losses[earlier : earlier + 3]) <= min(losses[:earlier]) * 0.998, "it could have stopped here"
    assert facts["loss_steps"][-1] == facts["steps"]
    assert facts["checkpoints"] == list(range(7, facts["steps"] + 1, 7))


def test_the_weights_of_the_least_heldout_loss_are_published(folder: Path) -> None:
    facts = finetune(folder, "out", patience=5, **OVERFITTING)
    step, loss = min(facts["heldout_losses"], key=lambda one: one[1])
    assert step < facts["steps"], "the example no longer overfits"
    assert facts["published_step"] == step
    assert facts["heldout_loss_after"] == pytest.approx(loss, abs=1e-6)  # fewer than 4,096 are all measured
    assert same_weights(folder / "out", _checkpoint(folder, step))


def _checkpoint(folder: Path, step: int) -> Path:
    """Returns a folder with the weights that were kept at `step`, a multiple of save_steps."""
    shutil.copytree(folder / "out", folder / "kept")
    shutil.copyfile(folder / "out" / f"step-{step}.safetensors", folder / "kept" / "model.safetensors")
    return folder / "kept"


def test_measuring_changes_nothing_that_is_learned(folder: Path) -> None:
    measured = afresh(folder, "measured", patience=30, **{**OVERFITTING, "epochs": 4})
    blind = afresh(folder, "blind", patience=None, **{**OVERFITTING, "epochs": 4})
    assert [step for step, _ in measured["heldout_losses"]] == list(range(6, 37, 2))  # after 5 steps of warm-up
    assert blind["heldout_losses"] == []
    assert measured["losses"] == blind["losses"]
    last = f"step-{blind['checkpoints'][-1]}.safetensors"
    assert (folder / "measured" / last).read_bytes() == (folder / "blind" / last).read_bytes()
    assert (blind["published_step"], blind["steps"]) == (36, 36)


@pytest.mark.long
@pytest.mark.parametrize("times", [3, 6])
def test_a_killed_run_stops_where_it_would_have_stopped(folder: Path, times: int) -> None:
    encoder = {**OVERFITTING, "patience": 5}
    whole = afresh(folder, "whole", **encoder)
    shutil.rmtree(folder / "work")
    (folder / "work").mkdir()
    command = [sys.executable, "-c", KILLED, str(folder), json.dumps(encoder), str(times)]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [state.name for state in (folder / "work").glob("resume-*")] == [f"resume-{7 * (times - 1)}"]
    assert finetune(folder, "resumed", **encoder) == whole
    assert same_weights(folder / "whole", folder / "resumed")


def test_a_run_that_had_stopped_is_not_trained_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = {**OVERFITTING, "patience": 3}
    monkeypatch.setattr(mlm_training, "SECONDS_BETWEEN_STATES", 0.0)
    whole = afresh(folder, "whole", **encoder)
    assert [state.name for state in (folder / "work").glob("resume-*")] == [f"resume-{whole['steps']}"]
    assert finetune(folder, "again", **encoder) == whole
    assert same_weights(folder / "whole", folder / "again")


def test_measurements_are_a_twentieth_apart_after_the_warm_up() -> None:
    encoder = EncoderSettings(warmup_steps=100, patience=1)
    assert [step for step in range(1, 1001) if is_measured(step, 1000, encoder)] == list(range(150, 1001, 50))
    assert [step for step in range(1, 990) if is_measured(step, 989, encoder)][-2:] == [950, 989]
    assert [step for step in range(1, 101) if is_measured(step, 100, encoder)] == []
    never = EncoderSettings(warmup_steps=0, patience=None)
    assert not any(is_measured(step, 1000, never) for step in range(1, 1001))


@pytest.mark.parametrize(
    ("losses", "patience", "stalled"),
    [
        ([2.0, 1.0], 2, False),
        ([2.0, 2.0, 2.0], 2, True),
        ([2.0, 1.999, 1.9965], 2, True),
        ([2.0, 1.999, 1.996], 2, False),  # 0.2 % in two
        ([2.0, 1.99, 2.5], 2, False),
        ([1.0, 2.0, 1.5, 1.2], 2, True),
        ([1.0, 2.0, 1.5, 0.9], 2, False),
        ([2.0, 2.0, 2.0], None, False),
        ([], 1, False),
    ],
)
def test_a_loss_has_stalled(losses: list[float], patience: int | None, stalled: bool) -> None:
    assert has_stalled(list(enumerate(losses)), patience) is stalled


def test_the_last_of_equal_losses_is_the_best() -> None:
    """They are equal where no held-out token is masked, as of a single short tweet: then the last weights are taken."""
    assert best_of([(10, 2.0), (20, 1.0), (30, 1.0), (40, 1.5)]) == (30, 1.0)


def test_a_measurement_takes_tweets_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    tweets = TokenLists(np.arange(10, dtype=np.int32), np.arange(10), np.ones(10, np.int64))
    assert some_of(tweets).starts.tolist() == list(range(10))
    monkeypatch.setattr(early_stopping, "_MOST_TWEETS", 4)
    assert some_of(tweets).starts.tolist() == [0, 2, 5, 7]


def test_the_curve_shows_what_was_measured() -> None:
    figures = {"tweets": 9, "loss_steps": [], "losses": [], "heldout_loss_before": 5.0, "heldout_loss_after": 2.5}
    measured = [(10, 3.0), (20, 2.51), (30, 2.7)]
    facts = EncoderFacts(**figures, steps=30, planned_steps=100, published_step=20, heldout_losses=measured)
    assert facts.heldout_curve() == [(0, 5.0), *measured]
    assert EncoderFacts(**figures, steps=30).heldout_curve() == [(0, 5.0), (30, 2.5)]


def test_weights_that_a_killed_run_wrote_after_its_last_state_are_not_taken(folder: Path) -> None:
    """The state after step 28 stands, step 42 was measured and its weights kept, and then the run was killed."""
    encoder = {**OVERFITTING, "patience": 5}
    whole = afresh(folder, "whole", **encoder)
    shutil.rmtree(folder / "work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlm_training, "save_state", _until(28, mlm_training.save_state))
        with pytest.raises(KeyboardInterrupt):
            finetune(folder, "lost", **{**encoder, "save_steps": 1000})
    kept = sorted(path.name for path in (folder / "work").glob("best-*"))
    assert kept == ["best-28.safetensors", "best-42.safetensors"]
    resumed = finetune(folder, "resumed", **{**encoder, "save_steps": 1000})
    assert resumed == {**whole, "checkpoints": []}
    assert same_weights(folder / "whole", folder / "resumed")
    assert len(list((folder / "work").glob("best-*"))) == 1


def _until(last: int, save: Callable[..., None]) -> Callable[..., None]:
    def save_or_die(workspace: Path, step: int, *arguments: Any) -> None:
        if step > last:
            raise KeyboardInterrupt
        save(workspace, step, *arguments)

    return save_or_die


def test_a_heldout_loss_that_is_no_number_ends_the_training(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([2.0, float("nan")])  # before the first step, and the first on the way
    monkeypatch.setattr(mlm_training, "heldout_loss", lambda *_, **__: next(losses))
    with pytest.raises(UserError, match=r"finetuned_encoder: the held-out loss is nan at step 14; "):
        finetune(folder, "out", patience=3, **OVERFITTING)
