"""Fixtures: a bucket, a network that can be cut, machines with a working directory each."""

from pathlib import Path

import pytest

from engage_pipeline_tests.locations.conftest import bucket, network, s3_url
from engage_pipeline_tests.object_store import Bucket
from engage_pipeline_tests.store.mirror.machines import Machines

__all__ = ["bucket", "machines", "network", "s3_url"]


@pytest.fixture
def machines(bucket: Bucket, tmp_path: Path) -> Machines:
    return Machines(tmp_path, f"{bucket.uri}/engage")
