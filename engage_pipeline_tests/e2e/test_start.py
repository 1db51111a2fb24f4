"""What `make ui` says when it starts, and how a UI in the background of a script is stopped."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from engage_pipeline_tests import servers, worlds
from engage_pipeline_tests.e2e.harness import DEADLINE, Dev

pytestmark = pytest.mark.long


def test_nothing_that_is_used_is_deprecated(dev: Dev) -> None:
    log = dev.log.read_text(encoding="utf-8")
    assert "Launching Dagster services" in log
    assert not re.findall(r".*(?:Warning: |deprecated|superseded).*", log)


def test_kill_stops_a_ui_in_the_background_of_a_script(tmp_path: Path) -> None:
    """As the page has it; without its `env` a script's shell starts what ignores SIGINT, and SIGTERM with it."""
    worlds.write_config(tmp_path)
    page = (worlds.REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"`(env [^`]*dagster dev) … &`", page)
    port, written = servers.free_port(), tmp_path / "pid"
    options = f"-w {worlds.REPOSITORY}/workspace.yaml --host 127.0.0.1 --port {port}"
    script = f"{command} {options} & echo $! > {written}; wait"
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with servers.running(
        ["sh", "-c", script],
        log=tmp_path / "log",
        ready=lambda: servers.answers(f"http://127.0.0.1:{port}/server_info"),
        deadline=DEADLINE,
        env=environment,
        cwd=tmp_path,
    ) as shell:
        os.kill(int(written.read_text()), signal.SIGTERM)
        servers.wait_until(lambda: shell.poll() is not None, "the end of the script", 30)
        servers.wait_until(lambda: not servers.alive_in_session(shell.pid), "the end of what the UI started", 60)
