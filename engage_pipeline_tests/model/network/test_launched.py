"""What the processes of a launch tell each other, and how a launch begins and ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.distributed import TCPStore  # noqa: TID253 - it is what is tested

from engage_pipeline.errors import UserError
from engage_pipeline.model.network import launched
from engage_pipeline.model.network.launched import Launch, current_launch, follow, leading, take_launch
from engage_pipeline.model.network.pretraining import pretrain_share
from engage_pipeline.model.network.warm_start import ColdStart, NetworkBefore
from engage_pipeline_tests.model.network.network_samples import make_codes, network_settings
from engage_pipeline_tests.worlds import REPOSITORY


@pytest.fixture
def pair() -> Iterator[tuple[Launch, Launch]]:
    """The first and the second process of a launch, both in this process, with a store between them."""
    first, second = (Launch(rank, 2, 0, {}) for rank in range(2))
    first.store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    second.store = TCPStore("127.0.0.1", first.store.port, is_master=False)
    yield first, second


@pytest.mark.parametrize("before", [NetworkBefore(Path("/before"), "v1"), ColdStart("no reason"), None])
def test_a_training_is_heard_as_it_was_told(pair: tuple[Launch, Launch], tmp_path: Path, before: Any) -> None:
    first, second = pair
    settings = network_settings(tmp_path, network={"processes": 2}, features={"families": ["pair_counters"]})
    paths = [Path("/a/features.parquet"), Path("/b/features.parquet")]
    arguments = (paths, make_codes(), ["en", "ja"], Path("/output"), Path("/workspace"), settings, before)
    first.tell("pretrained_network", pretrain_share, arguments)
    first.tell("done")
    what, heard = second.hear({"pretrained_network": pretrain_share})
    np.testing.assert_array_equal(heard.pop("codes"), make_codes())
    assert (what, heard) == (
        "pretrained_network",
        {
            "features": paths,
            "languages": ["en", "ja"],
            "output": Path("/output"),
            "workspace": Path("/workspace"),
            "settings": settings,
            "before": before,
        },
    )
    assert second.hear({}) == ("done", {})


def test_the_others_end_with_the_first(pair: tuple[Launch, Launch]) -> None:
    first, second = pair
    first.tell("done")
    follow(second, {})
    assert first.store.check(["heard-1"])


def test_a_first_process_that_fails_is_told_of(pair: tuple[Launch, Launch], tmp_path: Path) -> None:
    first, second = pair
    second.store.set("heard-1", "")  # so that the first need not wait
    settings = network_settings(tmp_path, network={"processes": 2})
    with pytest.raises(ZeroDivisionError), leading(first, settings):
        assert current_launch() is first
        raise ZeroDivisionError
    assert current_launch() is None
    with pytest.raises(UserError, match="first process of the launch has failed: its output says why"):
        follow(second, {})


def test_a_first_process_that_is_gone_is_told_of(pair: tuple[Launch, Launch]) -> None:
    first, second = pair
    del first.store
    with pytest.raises(UserError, match="the first process of the launch is gone"):
        follow(second, {})


def test_as_many_processes_as_the_setting_says(pair: tuple[Launch, Launch], tmp_path: Path) -> None:
    first, second = pair
    second.store.set("heard-1", "")
    message = r"network\.processes is 3, but 2 processes were launched: make them equal"
    with pytest.raises(UserError, match=message), leading(first, network_settings(tmp_path, network={"processes": 3})):
        pass


def test_a_launch_is_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in launched._VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert take_launch() is None
    values = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "head", "MASTER_PORT": "29500"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    found = take_launch()
    assert found is not None
    assert (found.rank, found.count, found.local_rank, found.variables) == (3, 4, 1, values)
    assert not set(values) & set(os.environ)
    assert take_launch() is None


def test_an_incomplete_launch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "head"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with pytest.raises(UserError, match="WORLD_SIZE is set, but MASTER_PORT is not"):
        take_launch()


def test_nothing_is_left_of_a_process_group(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from engage_pipeline.model.network.launched import process_group
from engage_pipeline.settings.settings import Settings

def threads():
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return sum("gloo" in name for name in names)

def train():
    import torch
    trained = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
    trained(torch.ones(3, 2)).sum().backward()
    return threads()

with process_group(Settings(), 0, 0, 1, {}, init_method=f"file://{sys.argv[1]}/meeting"):
    within = train()
print(within, threads())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo"},
    )
    within, after = done.stdout.split()
    assert (int(within) > 0, int(after)) == (True, 0)
