"""Training by processes that torchrun has started: two launches on the loopback interface, as if on two machines."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline.model.facts import NetworkFacts
from engage_pipeline.model.network.checkpoint import CHECKPOINT_FILE
from engage_pipeline_tests import worlds
from engage_pipeline_tests.servers import free_port
from engage_pipeline_tests.worlds import REPOSITORY

pytestmark = pytest.mark.long
NETWORKS = ("pretrained_network", "finetuned_network")
KILLING = """
import os
from pathlib import Path
from engage_pipeline.cli import main
from engage_pipeline_tests.dying import kill_before
rank = os.environ["RANK"]
Path(f"pid-{rank}").write_text(str(os.getpid()))
if rank == "0":
    kill_before("os.rename", "*/checkpoint.safetensors", 2, lambda: int(Path("pid-VICTIM").read_text()))
main()
"""
"""The command `engage`; the first process kills another one, or itself, at its second checkpoint."""


def launch(folder: Path, *program: str) -> list[tuple[int, str]]:
    """Runs the program below two torchruns; returns status and output of both, the first's first."""
    address = ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", *address]
    # Outside of the repository only PYTHONPATH tells where the tests are. If native code crashes, Python's stacks are
    # shown, and those of native threads where the system writes cores and gdb is there.
    shown = {"PYTHONPATH": str(REPOSITORY), "PYTHONFAULTHANDLER": "1"}
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", **shown}
    running = [
        subprocess.Popen(
            [*command, "--node-rank", str(rank), "--no-python", *program, "run", "--target", "finetuned_network"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate()[0] for process in running]
    outputs[0] += native_stacks(folder)
    return [(process.returncode, output) for process, output in zip(running, outputs, strict=True)]


def native_stacks(folder: Path) -> str:
    """The stacks of all threads of processes that crashed in `folder`, and left a core there."""
    if not (gdb := shutil.which("gdb")):
        return ""
    command = [gdb, "-nx", "-batch", "-ex", "thread apply all backtrace", sys.executable]
    shown = [
        subprocess.run([*command, str(core)], capture_output=True, text=True, check=False).stdout
        for core in folder.glob("core*")
    ]
    return "".join(shown)


@pytest.fixture(autouse=True)
def cores() -> Iterator[None]:
    """Lets processes that crash leave a core."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


ENGAGE = (sys.executable, "-c", "from engage_pipeline.cli import main; main()")


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in which everything is made that the networks read."""
    folder = tmp_path_factory.mktemp("untrained")
    worlds.make_world(folder)
    config = worlds.write_config(folder, network={"processes": 2, "batch_size": 64, "save_steps": 10})
    for name in ("interaction_features", "validation_features", "emde_sketches"):
        worlds.run(config, name)
    return folder


@pytest.fixture(scope="module")
def one_machine(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same world with networks that two processes of this machine trained."""
    folder = tmp_path_factory.mktemp("one-machine") / "world"
    worlds.copy_world(untrained, folder)
    worlds.run(folder / "config.yaml", "finetuned_network")
    return folder


def trained(folder: Path) -> list[tuple[bytes, list[dict[str, float]]]]:
    """The weights and the learning curve of both networks."""
    store = worlds.store_of(folder / "config.yaml")
    versions = [store.open(name) for name in NETWORKS]
    return [(one.path("network.safetensors").read_bytes(), NetworkFacts.read(one.manifest).curve) for one in versions]


def test_two_launches_learn_what_two_processes_of_one_machine_learn(
    untrained: Path, one_machine: Path, tmp_path: Path
) -> None:
    worlds.copy_world(untrained, tmp_path)
    (status, first), (other_status, other) = launch(tmp_path, *ENGAGE)
    assert (status, other_status) == (0, 0), first + other
    assert trained(tmp_path) == trained(one_machine)
    assert "2 artifacts made" in first
    assert "process 2 of 2 waits for a training to begin" in other
    assert "made" not in other


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_all_and_a_second_launch_goes_on(
    untrained: Path, one_machine: Path, tmp_path: Path, victim: int
) -> None:
    worlds.copy_world(untrained, tmp_path)
    outcomes = launch(tmp_path, sys.executable, "-c", KILLING.replace("VICTIM", str(victim)))
    assert all(status != 0 for status, _ in outcomes)
    assert "pretrained_network: another process of the launch ended or can't be reached" in outcomes[1 - victim][1]
    assert list((tmp_path / "data/model/pretrained_network").glob(f".work-*/{CHECKPOINT_FILE}"))
    assert worlds.store_of(tmp_path / "config.yaml").manifest("pretrained_network") is None
    outcomes = launch(tmp_path, *ENGAGE)
    assert [status for status, _ in outcomes] == [0, 0], "".join(output for _, output in outcomes)
    assert trained(tmp_path) == trained(one_machine)


@pytest.mark.skipif(
    shutil.which("gdb") is None
    or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0
    or Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip() != "core",
    reason="needs gdb, and cores in the folder of the process",
)
def test_a_crash_in_native_code_shows_its_stacks(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", "import os; os.abort()"], cwd=tmp_path, check=False)
    assert "abort" in native_stacks(tmp_path)
