"""Fixtures: servers, a bucket of each test's own, a network that can be cut.

The store is S3, unless a test is marked with `every_store`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from engage_pipeline.locations import object_stores
from engage_pipeline_tests.object_store import Bucket, Network, forget_connections
from engage_pipeline_tests.stores import S3, STORES, Store

every_store = pytest.mark.parametrize("store", STORES, indirect=True)


@pytest.fixture(scope="session")
def url_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Store], str]]:
    """The URL of the server of a store, which is started when it is first asked for."""
    urls: dict[str, str] = {}
    with ExitStack() as running:

        def url(store: Store) -> str:
            if store.scheme not in urls:
                log = tmp_path_factory.mktemp(store.scheme) / "server.log"
                urls[store.scheme] = running.enter_context(store.serve(log))
            return urls[store.scheme]

        yield url


@pytest.fixture(scope="session")
def s3_url(url_of: Callable[[Store], str]) -> str:
    return url_of(S3)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    store = STORES[getattr(request, "param", "s3")]
    if lacking := store.lacks():
        pytest.skip(lacking)
    return store


@pytest.fixture
def bucket(store: Store, url_of: Callable[[Store], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket of a server that this process finds by its environment."""
    url = url_of(store)
    for name, value in store.environment(url).items():
        monkeypatch.setenv(name, value)
    forget_connections()
    yield Bucket(url, f"bucket-{uuid4().hex[:12]}", store)
    forget_connections()


@pytest.fixture
def network(bucket: Bucket, url_of: Callable[[Store], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """The way to the server, instead of the straight one."""
    network = Network(url_of(bucket.store))
    monkeypatch.setattr(object_stores, "GOOGLE_SECONDS", 2)
    for name, value in bucket.store.environment(network.url).items():
        monkeypatch.setenv(name, value)
    forget_connections()
    yield network
    network.close()
