"""The files of deploy/ in use on this machine: the compose file's own commands, with other ports and folders."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engage_pipeline_tests.deploy.postgres import Postgres
from engage_pipeline_tests.servers import answers, free_port, running
from engage_pipeline_tests.worlds import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
HOME_IN_IMAGE = "/opt/engage/home"
PROGRAMS = Path(sys.executable).parent


def compose() -> dict[str, Any]:
    """deploy/compose.yaml."""
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Deployment:
    """A home with the instance's and the workspace's files, and the ports that stand for the containers'."""

    home: Path
    config: Path
    postgres: Postgres
    code_port: int
    ui_port: int

    @property
    def url(self) -> str:
        """The webserver's address."""
        return f"http://127.0.0.1:{self.ui_port}"

    def environment(self) -> dict[str, str]:
        """What the image and the compose file set, with this machine's places."""
        return {
            **os.environ,
            **self.postgres.environment(),
            **self.postgres.client_environment(),
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "DAGSTER_HOME": str(self.home),
            "ENGAGE_CONFIG": str(self.config),
            "ENGAGE_COMPUTE_LOGS": str(self.home.parent / "compute_logs"),
            "ENGAGE_CODE_HOST": "127.0.0.1",
            "ENGAGE_CODE_PORT": str(self.code_port),
        }

    def command(self, service: str) -> list[str]:
        """The command of a service of the compose file."""
        return [self._here(word) for word in compose()["services"][service]["command"]]

    def healthy(self, service: str) -> bool:
        """Whether the health check of a service of the compose file passes."""
        check = [self._here(word) for word in compose()["services"][service]["healthcheck"]["test"]]
        assert check[0] == "CMD"
        return subprocess.run(check[1:], env=self.environment(), capture_output=True, check=False).returncode == 0

    def run(self, *command: str) -> str:
        """What `command` prints. Raises AssertionError with it where the command fails."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def services(self) -> Iterator[None]:
        """The code location's server, the webserver and the daemon."""
        ready = {
            "code": lambda: self.healthy("code"),
            "webserver": lambda: answers(f"{self.url}/server_info"),
            "daemon": lambda: True,
        }
        with ExitStack() as stack:
            for service, is_ready in ready.items():
                log = self.home.parent / f"{service}.log"
                options: Mapping[str, Any] = {"env": self.environment(), "cwd": self.home}
                stack.enter_context(running(self.command(service), log=log, ready=is_ready, **options))
            yield

    def _here(self, word: str) -> str:
        ports = {"4000": str(self.code_port), "3000": str(self.ui_port)}
        word = word.replace("0.0.0.0", "127.0.0.1").replace(HOME_IN_IMAGE, str(self.home))  # noqa: S104
        return re.sub(r"\b(4000|3000)\b", lambda match: ports[match[0]], word)


def deployment(folder: Path, config: Path, postgres: Postgres) -> Deployment:
    """A deployment in `folder` on the settings of `config`; nothing is started."""
    home = folder / "home"
    home.mkdir()
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(DEPLOY / name, home)
    return Deployment(home, config, postgres, free_port(), free_port())
