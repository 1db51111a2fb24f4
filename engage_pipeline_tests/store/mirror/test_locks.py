"""A look at the mirror and a run of the same machine: the run is not turned away."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from engage_pipeline.files import atomic
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.locations.objects import read_object
from engage_pipeline.store.mirror import mirror
from engage_pipeline.store.mirror.following import follow_mirror
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.store.mirror.machines import FILE, Machines, publish

SECONDS = 60
"""After which a test that hangs fails."""


@contextmanager
def looking(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The block runs while a look at the mirror waits for the content of a commit; at its end the answer comes."""
    asked, answer = threading.Event(), threading.Event()

    def late(path: ObjectPath) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            asked.set()
            assert answer.wait(SECONDS)
        return read_object(path)

    monkeypatch.setattr(mirror, "read_object", late)
    with ThreadPoolExecutor(1) as pool:
        look = pool.submit(follow_mirror, store)
        try:
            assert asked.wait(SECONDS)
            yield
        finally:
            answer.set()
        look.result(SECONDS)


def test_a_run_does_not_wait_for_the_requests_of_a_look(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engage_pipeline.store.store.LOOK_SECONDS", 0.0)
    one, two = machines.store("one"), machines.store("two")
    publish(one, "test_tweets", b"before")
    with looking(two, monkeypatch):
        made = publish(two, "test_tweets", b"after")
    assert two.manifest("test_tweets") == made, "the look, which ended later, takes nothing back"
    assert machines.store("three").open("test_tweets").path(FILE).read_bytes() == b"after"


def test_a_lock_that_is_held_for_a_moment_turns_no_run_away(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, held = machines.store("one"), threading.Event()
    one.folder("test_tweets").mkdir(parents=True)
    lock = atomic.exclusive(one.folder("test_tweets") / ".lock", "held")
    lock.__enter__()

    def free(_: float) -> None:
        held.set()
        lock.__exit__(None, None, None)

    monkeypatch.setattr("engage_pipeline.files.atomic.time.sleep", free)
    publish(one, "test_tweets", b"rows")
    assert held.is_set()
    assert one.open("test_tweets").path(FILE).read_bytes() == b"rows"
