"""A run through a code server that is a process of its own, found by the deployment's own workspace file.

Processes that share a disk and an instance, as on a cluster: the code server, the webserver that is asked, and the run,
which the code server starts and which makes each step in a process of its own.
"""

import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest
import yaml

from engage_pipeline.orchestration.dead_runs import PROCESS_TAG
from engage_pipeline.orchestration.executors import EXECUTOR_VARIABLE
from engage_pipeline.settings.settings import CONFIG_VARIABLE
from engage_pipeline_tests import servers, worlds
from engage_pipeline_tests.e2e import queries
from engage_pipeline_tests.e2e.harness import Dev

pytestmark = pytest.mark.long
PROGRAMS = Path(sys.executable).parent
ASSETS = ("validation_tweets", "test_tweets")


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def make_home(folder: Path) -> None:
    """The instance's file without a queue, which would need a daemon."""
    values = yaml.safe_load((worlds.REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    del values["concurrency"]["runs"]
    values["run_coordinator"] = {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"}
    (folder / "dagster.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    shutil.copy(worlds.REPOSITORY / "deploy" / "workspace.yaml", folder)


@pytest.fixture
def webserver(tmp_path: Path) -> Iterator[Dev]:
    """A webserver on a world of which nothing is made yet; its code is in another process."""
    worlds.make_world(tmp_path)
    make_home(tmp_path)
    code, ui = servers.free_port(), Dev(tmp_path, servers.free_port(), tmp_path / "webserver.log")
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(tmp_path),
        CONFIG_VARIABLE: str(tmp_path / "config.yaml"),
        EXECUTOR_VARIABLE: "multiprocess",
        "ENGAGE_CODE_HOST": "127.0.0.1",
        "ENGAGE_CODE_PORT": str(code),
    }
    address = ["--host", "127.0.0.1", "--port"]
    serve_code = [str(PROGRAMS / "dagster"), "api", "grpc", "--module-name", "engage_pipeline.definitions"]
    serve_ui = [str(PROGRAMS / "dagster-webserver"), "--workspace", str(tmp_path / "workspace.yaml")]
    with ExitStack() as stack:
        start = {"env": environment, "cwd": tmp_path}
        stack.enter_context(
            servers.running(
                [*serve_code, *address, str(code)],
                log=tmp_path / "code.log",
                ready=lambda: listens(code),
                **start,
            )
        )
        stack.enter_context(
            servers.running(
                [*serve_ui, *address, str(ui.port)],
                log=ui.log,
                ready=lambda: servers.answers(f"{ui.url}/server_info") and bool(ui.ask(queries.ASSETS)["assetNodes"]),
                **start,
            )
        )
        ui.session = code
        yield ui


def test_a_run_through_a_second_code_server_makes_each_step_in_a_process_of_its_own(webserver: Dev) -> None:
    run = webserver.ended(webserver.launch(*ASSETS))
    assert run.status == "SUCCESS", webserver.failures(run.id)
    with dg.DagsterInstance.from_config(str(webserver.folder)) as instance:
        record = instance.get_run_by_id(run.id)
        messages = [entry.message for entry in instance.all_logs(run.id)]
    assert record is not None
    assert f'"port": {webserver.session}' in record.tags[".dagster/grpc_info"]
    # Else the sensor dead_runs would take the run for dead once its first step has ended.
    assert PROCESS_TAG not in record.tags
    steps = re.findall(r'Executing step "(\w+)" in subprocess', "\n".join(messages))
    assert sorted(steps) == sorted(ASSETS)
    store = webserver.store()
    for name in ASSETS:
        assert store.open(name).manifest.rows
