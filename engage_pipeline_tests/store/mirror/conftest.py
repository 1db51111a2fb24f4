"""Fixtures: a bucket, a network that can be cut, machines with a working directory each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engage_pipeline_tests.locations.conftest import bucket, network, s3_url, store, url_of
from engage_pipeline_tests.object_store import Bucket, Gate, forget_connections
from engage_pipeline_tests.store.mirror.machines import Machines

__all__ = ["bucket", "gate", "machines", "network", "s3_url", "store", "url_of"]


@pytest.fixture
def gate(s3_url: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The way to the server, which can be closed at any request."""
    gate = Gate(s3_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", gate.url)
    forget_connections()
    yield gate
    gate.close()


@pytest.fixture
def machines(bucket: Bucket, tmp_path: Path) -> Machines:
    return Machines(tmp_path, f"{bucket.uri}/engage")
