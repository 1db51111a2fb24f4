"""Fixtures: a server, a bucket of each test's own, a network that can be cut."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from engage_pipeline_tests.object_store import Bucket, Network, environment, forget_connections, s3_server


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3") / "server.log") as url:
        yield url


@pytest.fixture
def bucket(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket of a server that this process finds by its environment."""
    for name, value in environment(s3_url).items():
        monkeypatch.setenv(name, value)
    forget_connections()
    yield Bucket(s3_url, f"bucket-{uuid4().hex[:12]}")
    forget_connections()


@pytest.fixture
def network(s3_url: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """The way to the server, instead of the straight one."""
    network = Network(s3_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", network.url)
    forget_connections()
    yield network
    network.close()
