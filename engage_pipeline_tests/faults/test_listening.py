"""What listens on a port, where: the UI on this machine only, as nothing in it asks who is there."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import yaml

from engage_pipeline_tests.e2e.harness import MAKE_UI
from engage_pipeline_tests.worlds import REPOSITORY

EVERYWHERE = re.compile(r"0\.0\.0\.0|\[::\]|--host[= ]\*")


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_make_ui_binds_to_this_machine() -> None:
    (command,) = re.findall(r"^\t(.*dagster dev.*)$", text("Makefile"), re.MULTILINE)
    assert re.search(r"--host 127\.0\.0\.1(?!\S)", command)
    assert f"python {' '.join(MAKE_UI)} --host" in command


def test_make_ui_stops_where_its_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = ["make", "--no-print-directory", "--old-file=setup", f"BIN={Path(sys.executable).parent}", "ui"]
        done = subprocess.run([*command, f"PORT={port}"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    line, _ = done.stderr.splitlines()
    assert line == f"make ui: port {port} is taken; choose another: make ui PORT=3001"


def test_compose_publishes_the_ui_alone_and_on_this_machine() -> None:
    services = yaml.safe_load(text("deploy/compose.yaml"))["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published == ["127.0.0.1:${ENGAGE_UI_PORT:-3000}:3000"]
    assert not [name for name, service in services.items() if service.get("network_mode") == "host"]


def test_kubernetes_publishes_nothing_outside_of_the_cluster() -> None:
    values = yaml.safe_load(text("deploy/kubernetes/values.yaml"))
    assert values["dagsterWebserver"]["service"].get("type", "ClusterIP") == "ClusterIP"
    assert not values.get("ingress", {}).get("enabled", False)


def test_only_containers_listen_everywhere() -> None:
    """Within their own network, from which compose publishes one port on 127.0.0.1."""
    inside = {"deploy/compose.yaml", "deploy/Dockerfile"}
    files = [
        path
        for pattern in ("*", "deploy/**/*", "engage_pipeline/**/*.py", ".ci/*")
        for path in REPOSITORY.glob(pattern)
    ]
    names = {str(path.relative_to(REPOSITORY)): path for path in files if path.is_file()}
    code = {name for name in names if not name.endswith(".md") and "__pycache__" not in name}
    assert {name for name in code if EVERYWHERE.search(names[name].read_text("utf-8", "replace"))} == inside


def test_the_documents_say_how_to_put_a_login_in_front() -> None:
    assert "## A login in front of the UI" in text("deploy/README.md")
    for name in ("docs/threat-model.md", "docs/operations.md"):
        assert "deploy/README.md#a-login-in-front-of-the-ui" in text(name)
