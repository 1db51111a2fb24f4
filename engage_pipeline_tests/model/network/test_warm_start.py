"""A warm start goes on from the last network's weights, says so, and says why where it can't."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: TID253
from safetensors.torch import load_file

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.machine.threads import torch_threads
from engage_pipeline.model.network.architectures import new_network
from engage_pipeline.model.network.buffer import RowBuffer
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_files import load_network, save_network
from engage_pipeline.model.network.pretraining import pretrain_network
from engage_pipeline.model.network.schedule import cosine, day_by_day, decaying, shuffled
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline.model.network.training import TrainingPlan, TrainingRun, make_accelerator
from engage_pipeline.model.network.warm_start import ColdStart, NetworkBefore, network_before, warm_network
from engage_pipeline.store.deletion_ledger import enter
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.model.network.network_samples import (
    ARCHITECTURES,
    LANGUAGES,
    make_codes,
    network_settings,
    set_column,
    write_parts,
)
from engage_pipeline_tests.samples import feature_table, tiny_settings

Pretrain = Callable[..., tuple[Path, dict[str, Any]]]


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    return write_parts(tmp_path, [150, 100])


@pytest.fixture
def pretrain(tmp_path: Path, parts: list[Path]) -> Pretrain:
    """Pretrains in a folder of its own; returns the folder of the network and the facts."""

    def run(before: Any = None, languages: tuple[str, ...] = LANGUAGES, **values: Any) -> tuple[Path, dict[str, Any]]:
        output = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        workspace = tmp_path / "workspace"
        output.mkdir()
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir()
        settings = network_settings(tmp_path, **values)
        return output, pretrain_network(parts, make_codes(), languages, output, workspace, settings, before)

    return run


def weights(folder: Path) -> bytes:
    return (folder / "network.safetensors").read_bytes()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("schedule", ["shuffled", "days"])
def test_a_warm_start_is_the_training_gone_on(
    pretrain: Pretrain, parts: list[Path], tmp_path: Path, architecture: str, schedule: str
) -> None:
    """Against the training loop itself, given the last network and the number of passes by hand."""
    before, _ = pretrain(network={"architecture": architecture})
    chosen = {"architecture": architecture, "schedule": schedule, "epochs": 5, "warm_epochs": 2}
    found, facts = pretrain(NetworkBefore(before, "v1"), network=chosen)
    network = load_network(before)
    if schedule == "shuffled":
        stretches = shuffled(parts, 2, 4, 20210)
        rate = cosine(3e-3, sum(stretch.n_batches(64) for stretch in stretches))
    else:
        stretches, rate = day_by_day(parts, 2, 4, 20210), decaying(3e-3, 0.96)
    accelerator = make_accelerator("cpu")
    inputs = InputBuilder.of(network, make_codes(), accelerator.device)
    plan = TrainingPlan("by hand", stretches, rate, RowBuffer(network.reader).rows, 20210)
    (tmp_path / "by-hand").mkdir()
    settings = network_settings(tmp_path)
    with torch_threads(settings.training_threads):
        expected = TrainingRun(network, inputs, plan, settings.network, tmp_path / "by-hand", accelerator).run()
    save_network(network, tmp_path / "by-hand")
    assert weights(found) == weights(tmp_path / "by-hand") != weights(before)
    assert facts["warm_started_from"] == "v1"
    assert "cold_start" not in facts
    assert facts["steps"] == expected["steps"]


def test_without_a_network_before_nothing_changes(pretrain: Pretrain) -> None:
    cold, facts = pretrain()
    with_reason, other = pretrain(ColdStart("the token codes have changed"))
    assert weights(cold) == weights(with_reason)
    assert "cold_start" not in facts
    assert other["cold_start"] == "the token codes have changed"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_new_and_reordered_languages_keep_what_was_learned(pretrain: Pretrain, architecture: str) -> None:
    before, _ = pretrain(network={"architecture": architecture})
    old = load_network(before)
    network = warm_network(replace(old.config, languages=("es", "pt", "fr", "en", "ja")), before, old.vocabulary)
    assert isinstance(network, EngagementNetwork)
    rows = feature_table(200, 3, labelled=False)
    assert set(rows["language"].to_pylist()) == {"en", "ja", "pt", "es"}
    expected = NetworkScorer(old, make_codes()).logits(rows)
    assert np.array_equal(NetworkScorer(network, make_codes()).logits(rows), expected)
    assert network.language.weight.shape[0] == 6
    unknown = set_column(rows, "language", ["xx"] * 200)
    assert np.array_equal(
        NetworkScorer(network, make_codes()).logits(unknown), NetworkScorer(old, make_codes()).logits(unknown)
    )


def test_grown_languages_are_trained(pretrain: Pretrain) -> None:
    before, _ = pretrain()
    found, _ = pretrain(NetworkBefore(before, "v1"), languages=(*LANGUAGES, "es"))
    network = load_network(found)
    assert network.config.languages == (*LANGUAGES, "es")
    table = network.language.weight
    assert not torch.equal(table[3], table[4])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"network": {"architecture": "deep_cross"}}, "architecture was deep_fm and is deep_cross"),
        ({"network": {"hidden_size": 9}}, "hidden_size was 8 and is 9"),
        ({"network": {"embedding_size": 4}}, "embedding_size was 16 and is 4"),
        ({"network": {"members": 2}}, "members was 3 and is 2"),
        ({"network": {"smoothed_rates": False}}, "it reads smoothed rates"),
        ({"network": {"sketches": True}}, "sketch_depth was 0 and is 2"),
    ],
)
def test_another_shape_starts_anew_and_says_why(
    pretrain: Pretrain, caplog: pytest.LogCaptureFixture, values: dict[str, Any], reason: str
) -> None:
    before, _ = pretrain()
    cold, _ = pretrain(**values)
    with caplog.at_level(logging.INFO, "engage_pipeline"):
        found, facts = pretrain(NetworkBefore(before, "v1"), **values)
    assert weights(found) == weights(cold)
    assert facts["cold_start"] == reason
    assert "warm_started_from" not in facts
    assert f"starts anew instead of from the network before: {reason}" in caplog.text


def test_a_network_that_read_other_counters_is_none_to_start_from(pretrain: Pretrain) -> None:
    before, _ = pretrain()
    config = replace(load_network(before).config, further_counters=("type", "valid_type"))
    assert warm_network(config, before) == ColdStart("further_counters was () and is ('type', 'valid_type')")
    save_network(new_network(config), before)
    assert load_network(before).config == config
    assert isinstance(warm_network(config, before), EngagementNetwork)


def test_a_folder_without_a_network_starts_anew(pretrain: Pretrain, tmp_path: Path) -> None:
    _, facts = pretrain(NetworkBefore(tmp_path, "v1"))
    assert "not a network" in facts["cold_start"]


class StoppedError(Exception):
    pass


def test_a_killed_warm_start_goes_on_to_the_same_bytes(
    pretrain: Pretrain, parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = pretrain()
    chosen = {"warm_epochs": 3, "save_steps": 2}
    expected, _ = pretrain(NetworkBefore(before, "v1"), network=chosen)
    settings, workspace = network_settings(tmp_path, network=chosen), tmp_path / "resumed"
    step = TrainingRun._step

    def stopping(self: TrainingRun, *arguments: Any) -> float:
        if self.position.step == 7:
            raise StoppedError
        return step(self, *arguments)

    def run(name: str) -> Path:
        output = tmp_path / name
        output.mkdir()
        workspace.mkdir(exist_ok=True)
        arguments = (parts, make_codes(), LANGUAGES, output, workspace, settings, NetworkBefore(before, "v1"))
        pretrain_network(*arguments)
        return output

    monkeypatch.setattr(TrainingRun, "_step", stopping)
    with pytest.raises(StoppedError):
        run("stopped")
    steps = []
    monkeypatch.setattr(TrainingRun, "_step", lambda self, *rest: steps.append(1) or step(self, *rest))
    assert weights(run("again")) == weights(expected)
    assert len(steps) == 12 - 6


def test_a_checkpoint_of_a_cold_start_is_not_taken_for_a_warm_one(
    pretrain: Pretrain, parts: list[Path], tmp_path: Path
) -> None:
    before, _ = pretrain()
    expected, _ = pretrain(NetworkBefore(before, "v1"), network={"save_steps": 2})
    pretrain(network={"save_steps": 2})
    assert (tmp_path / "workspace" / "checkpoint.safetensors").exists()
    output = tmp_path / "after-cold"
    output.mkdir()
    settings = network_settings(tmp_path, network={"save_steps": 2})
    pretrain_network(
        parts, make_codes(), LANGUAGES, output, tmp_path / "workspace", settings, NetworkBefore(before, "v1")
    )
    assert weights(output) == weights(expected)


def publish(store: ArtifactStore, name: str, content: str) -> None:
    with store.publish(name) as draft:
        draft.path("network.json").write_text(content, encoding="utf-8")


def test_which_network_is_started_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(tiny_settings(tmp_path))
    assert network_before(store) == ColdStart("there is no network yet")
    publish(store, "emde_sketches", "codes")
    publish(store, "pretrained_network", "{}")
    version = store.open("pretrained_network").manifest.version
    found = network_before(store)
    assert isinstance(found, NetworkBefore)
    assert found.version == version
    monkeypatch.setitem(ARTIFACTS, "pretrained_network", replace(ARTIFACTS["pretrained_network"], code_version="99"))
    assert network_before(store) == ColdStart("it was trained by other code")
    monkeypatch.undo()
    publish(store, "emde_sketches", "codes")
    assert network_before(store) == found
    publish(store, "emde_sketches", "other codes")
    assert network_before(store) == ColdStart("the token codes have changed")
    publish(store, "emde_sketches", "codes")
    (found.folder / "network.json").write_text("[]", encoding="utf-8")
    damaged = network_before(store)
    assert isinstance(damaged, ColdStart)
    assert "network.json: damaged" in damaged.reason


def test_a_network_that_saw_deleted_rows_is_not_started_from(tmp_path: Path) -> None:
    store = ArtifactStore(tiny_settings(tmp_path))
    for name in ("interaction_counts", "emde_sketches", "pretrained_network"):
        publish(store, name, name)
    counts = store.manifest("interaction_counts")
    assert counts
    enter(store, [counts])
    assert network_before(store) == ColdStart("rows that it was trained on have been deleted since")
    publish(store, "interaction_counts", "without them")
    publish(store, "pretrained_network", "trained anew")
    assert isinstance(network_before(store), NetworkBefore)


def test_weights_are_of_the_network_before(pretrain: Pretrain) -> None:
    """With a learning rate of nearly nothing the weights stay where they were."""
    before, _ = pretrain()
    found, _ = pretrain(NetworkBefore(before, "v1"), network={"learning_rate": 1e-12}, seed=99)
    old, new = (load_file(folder / "network.safetensors") for folder in (before, found))
    for name in old:
        if "running" not in name and "tracked" not in name:
            assert torch.allclose(old[name], new[name], atol=1e-6), name
