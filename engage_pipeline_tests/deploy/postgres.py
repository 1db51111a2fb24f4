"""A Postgres server of a test's own, from Debian's package `postgresql`."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from engage_pipeline_tests.servers import free_port, running

NAME = "engage"
"""Of the user and of the database."""
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")
"""A test's data need not survive a power cut."""


@dataclass(frozen=True)
class Postgres:
    """Where the server listens."""

    port: int
    password: str
    host: str = "127.0.0.1"

    def environment(self) -> dict[str, str]:
        """The variables that deploy/dagster.yaml reads."""
        return {
            "ENGAGE_POSTGRES_HOST": self.host,
            "ENGAGE_POSTGRES_PORT": str(self.port),
            "ENGAGE_POSTGRES_DB": NAME,
            "ENGAGE_POSTGRES_USER": NAME,
            "ENGAGE_POSTGRES_PASSWORD": self.password,
        }

    def client_environment(self) -> dict[str, str]:
        """The variables that Postgres's own programs read."""
        return {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": NAME, "PGPASSWORD": self.password}

    def fetch(self, query: str, database: str = NAME) -> list[tuple[Any, ...]]:
        """The rows of `query`."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def connect(self, database: str = NAME) -> Any:
        """A psycopg2 connection."""
        return psycopg2.connect(
            host=self.host, port=self.port, user=NAME, password=self.password, dbname=database, connect_timeout=5
        )


def programs() -> Path | None:
    """The folder of the newest installed server's programs, if there is one."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).resolve().parent if on_path else None


@contextmanager
def cluster() -> Iterator[Postgres]:
    """A server with an empty database, on a free port of 127.0.0.1; gone with its data when the block ends.

    Skips the test where Postgres isn't installed. The server refuses to run as root: then it runs as `postgres`.
    """
    folder = programs()
    if folder is None:
        pytest.skip("Debian's package postgresql is not installed (.ci/run installs it)")
    as_user: dict[str, Any] = {}
    home = Path(tempfile.mkdtemp(prefix="engage-postgres-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(home, account.pw_uid, account.pw_gid)
        as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    try:
        server = Postgres(free_port(), secrets.token_urlsafe(16))
        _initialise(folder, home, server, as_user)
        command = [str(folder / "postgres"), "-D", str(home / "data"), "-p", str(server.port), "-k", str(home)]
        command += ["-h", server.host, *(word for setting in FAST for word in ("-c", setting))]
        with running(command, log=home / "log", ready=lambda: _accepts(server), cwd=home, **as_user) as process:
            with closing(server.connect("postgres")) as connection:
                connection.autocommit = True
                connection.cursor().execute(f"CREATE DATABASE {NAME}")
            yield server
            process.send_signal(signal.SIGINT)  # a fast shutdown: connections are closed
            process.wait(30)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _initialise(folder: Path, home: Path, server: Postgres, as_user: dict[str, Any]) -> None:
    secret = home / "password"
    secret.write_text(server.password, encoding="ascii")
    secret.chmod(0o644)
    command = [str(folder / "initdb"), "-D", str(home / "data"), "-U", NAME, "--auth=scram-sha-256"]
    command += [f"--pwfile={secret}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run(command, check=True, capture_output=True, cwd=home, **as_user)


def _accepts(server: Postgres) -> bool:
    try:
        server.connect("postgres").close()
    except psycopg2.OperationalError:
        return False
    return True
