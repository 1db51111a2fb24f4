"""Training on two real processes against the same training on one, and after one of the two was killed."""

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.workers import run_in_processes
from engage_pipeline.model.network import processes
from engage_pipeline.model.network.checkpoint import CHECKPOINT_FILE
from engage_pipeline.model.network.pretraining import pretrain_network
from engage_pipeline.tracking.tracked import tracking
from engage_pipeline_tests.dying import kill_before
from engage_pipeline_tests.model.network.network_samples import (
    ARCHITECTURES,
    LANGUAGES,
    make_codes,
    network_settings,
    write_parts,
)
from engage_pipeline_tests.tracking.mlflow_runs import curve_of, runs_of

pytestmark = pytest.mark.long
EPOCHS = 6
"""72 steps: long enough to be killed in the middle."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Of 251 rows: batches of 21 and of 20, so that the shares of two processes differ by a row now and then."""
    return write_parts(tmp_path_factory.mktemp("parts"), [151, 100])


def pretrain(
    folder: Path, parts: list[Path], processes: int, trackers: tuple[str, ...] = (), **network: object
) -> tuple[bytes, dict]:
    """Trains in `folder`, which may hold the checkpoint of a run before; returns the weights' file and the facts."""
    output, workspace = folder / "output", folder / "workspace"
    for path in (output, workspace):
        path.mkdir(parents=True, exist_ok=True)
    values = {
        "processes": processes,
        "batch_size": 21,
        "epochs": EPOCHS,
        "save_steps": 8,
        "learning_rate": 1e-3,
        "embedding_size": 20,
        **network,
    }
    settings = network_settings(folder, network=values, trackers=trackers)
    facts = pretrain_network(parts, make_codes(), LANGUAGES, output, workspace, settings)
    return (output / "network.safetensors").read_bytes(), facts


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def unbroken(parts, architecture, tmp_path_factory):
    return pretrain(tmp_path_factory.mktemp("unbroken"), parts, processes=2, architecture=architecture)


def losses(facts):
    return torch.tensor([[point[target] for target in schema.TARGETS] for point in facts["curve"]])


def test_two_processes_learn_as_one_with_the_same_batches(parts, architecture, unbroken, tmp_path):
    """Step by step, until rounding has grown: Adam doubles a difference in a gradient near 0 every few steps."""
    _, facts = unbroken
    _, alone = pretrain(tmp_path, parts, processes=1, architecture=architecture)
    assert [point["step"] for point in facts["curve"]] == [point["step"] for point in alone["curve"]]
    assert (facts["rows"], facts["steps"]) == (alone["rows"], alone["steps"]) == (EPOCHS * 251, EPOCHS * 12)
    torch.testing.assert_close(losses(facts)[:20], losses(alone)[:20], rtol=0, atol=2e-5)
    torch.testing.assert_close(losses(facts), losses(alone), rtol=0, atol=0.05)
    assert losses(alone)[:20].std(dim=0).min() > 0.01


def train_until_the_second_is_killed(meeting: str, rank: int, *values: Any) -> dict:
    """A share of the training, in a process of its own; the first kills the second at its second checkpoint."""
    Path(f"{meeting}-{rank}").write_text(str(os.getpid()))
    if rank == 0:
        kill_before("os.rename", f"*/{CHECKPOINT_FILE}", 2, lambda: int(Path(f"{meeting}-1").read_text()))
    return processes._train(meeting, rank, *values)


def test_a_killed_process_is_told_of_and_a_second_launch_ends_as_an_unbroken_one(
    parts, architecture, unbroken, tmp_path
):
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(UserError, match=r"^pretrained_network: process 2 of 2 was killed \(SIGKILL\).*start it again$"),
    ):
        patch.setattr(
            processes,
            "run_in_processes",
            lambda what, _, shares: run_in_processes(what, train_until_the_second_is_killed, shares),
        )
        pretrain(tmp_path, parts, processes=2, architecture=architecture)
    assert (tmp_path / "workspace" / CHECKPOINT_FILE).is_file()
    assert not multiprocessing.active_children()
    assert not list((tmp_path / "output").iterdir())
    weights, facts = pretrain(tmp_path, parts, processes=2, architecture=architecture)
    assert weights == unbroken[0]
    assert facts["curve"] == unbroken[1]["curve"]


def test_of_two_processes_the_first_alone_is_tracked(parts, architecture, unbroken, tmp_path):
    settings = network_settings(tmp_path, trackers=["mlflow"])
    with tracking(settings, "evaluation", "before")(0):
        pass  # MLflow's file is there: two processes that make it would hinder each other
    weights, facts = pretrain(tmp_path, parts, processes=2, trackers=("mlflow",), architecture=architecture)
    assert weights == unbroken[0]
    run, _ = runs_of(tmp_path)
    assert run.info.status == "FINISHED"
    assert curve_of(tmp_path, run, "loss/like") == [(point["step"], point["like"]) for point in facts["curve"]]
