"""Commits that a person removed: the machine that has the version sends it again, and nothing goes back silently."""

import logging
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.store import publishing
from engage_pipeline.store.mirror.following import follow_mirror, send_unsent
from engage_pipeline.store.rewriting import rewrite
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.object_store import Bucket
from engage_pipeline_tests.store.mirror.machines import FILE, Machines, publish

PLACE = "engage/commits/ingest/test_tweets/"


def commits_there(bucket: Bucket) -> list[str]:
    """The keys of the commits of test_tweets, the last one last."""
    return [key for key in bucket.all_keys() if key.startswith(PLACE) and key.endswith(".json")]


def generations(bucket: Bucket) -> list[int]:
    return [int(key.removeprefix(PLACE).partition("-")[0]) for key in commits_there(bucket)]


def content(store: ArtifactStore) -> bytes:
    return store.open("test_tweets").path(FILE).read_bytes()


def change(store: ArtifactStore, how: str) -> None:
    """Makes the content of test_tweets `newest`."""
    if how == "publish":
        publish(store, "test_tweets", b"newest")
        return
    with rewrite(store, "test_tweets") as (_, draft):
        draft.path(FILE).write_bytes(b"newest")


@pytest.mark.parametrize("how", ["publish", "rewrite"])
@pytest.mark.parametrize("look", [True, False])
def test_a_damaged_commit_that_was_removed_is_made_again_where_its_version_is(
    machines: Machines, bucket: Bucket, caplog: pytest.LogCaptureFixture, how: str, look: bool
) -> None:
    """`look`: a command opens the store there before the next run sends."""
    one, two = machines.store("one"), machines.store("two")
    publish(one, "test_tweets", b"old")
    follow_mirror(two)
    change(one, how)
    damaged = commits_there(bucket)[-1]
    bucket.put(damaged, bucket.get(damaged).replace(b"test_tweets", b"test_tweetz"))
    with pytest.raises(UserError, match="damaged: not a commit of ingest/test_tweets"):
        follow_mirror(two)
    bucket.remove(damaged)
    follow_mirror(two)
    with caplog.at_level(logging.WARNING, "engage_pipeline"):
        for _ in range(2 if look else 0):
            follow_mirror(one)
        send_unsent(one)
    assert [text.partition(" is gone from ")[0] for text in caplog.messages] == [
        f"ingest/test_tweets: {Path(damaged).name}"
    ]
    follow_mirror(two)
    for store in (one, two, machines.store("three")):
        assert content(store) == b"newest"
        assert store.manifest("test_tweets") == one.manifest("test_tweets")
    assert generations(bucket)[-1] == 3
    publish(two, "test_tweets", b"later")
    follow_mirror(one)
    assert content(one) == b"later"


def test_a_commit_that_is_removed_during_a_publication_does_not_stop_it(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one")
    for turn in (b"old", b"newest"):
        publish(one, "test_tweets", turn)
    with one.publish("test_tweets") as draft:
        draft.path(FILE).write_bytes(b"later")
        bucket.remove(commits_there(bucket)[-1])
    assert content(one) == content(machines.store("two")) == b"later"
    assert generations(bucket) == [1, 3]


def test_a_version_that_could_not_be_sent_outlives_the_removal_of_the_commit_before(
    machines: Machines, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = machines.store("one")
    for turn in (b"old", b"newest"):
        publish(one, "test_tweets", turn)
    with monkeypatch.context() as patched:
        patched.setattr("engage_pipeline.store.mirror.mirror.MirroredFolder.send", lambda _: None)
        publish(one, "test_tweets", b"unsent")
    bucket.remove(commits_there(bucket)[-1])
    follow_mirror(one)
    assert content(one) == b"unsent"
    send_unsent(one)
    assert content(machines.store("two")) == b"unsent"


def test_an_emptied_mirror_gets_a_later_generation(machines: Machines, bucket: Bucket) -> None:
    """Else a machine that has the last commit would take the next ones for earlier ones."""
    one, two = machines.store("one"), machines.store("two")
    for turn in (b"old", b"newest"):
        publish(one, "test_tweets", turn)
    follow_mirror(two)
    for key in bucket.all_keys():
        bucket.remove(key)
    send_unsent(one)
    publish(one, "test_tweets", b"later")
    assert generations(bucket) == [3, 4]
    follow_mirror(two)
    assert content(two) == b"later"


def test_what_was_made_later_in_a_mirror_that_was_begun_anew_is_taken_over(
    machines: Machines, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By a machine that knows nothing of the generations before."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(seconds=5)

    one = machines.store("one")
    for turn in (b"old", b"newest"):
        publish(one, "test_tweets", turn)
    for key in bucket.all_keys():
        bucket.remove(key)
    monkeypatch.setattr(publishing, "datetime", Later)
    publish(machines.store("new"), "test_tweets", b"begun anew")
    assert generations(bucket) == [1]
    with caplog.at_level(logging.WARNING, "engage_pipeline"):
        follow_mirror(one)
        send_unsent(one)
    assert content(one) == content(machines.store("two")) == b"begun anew"
    assert ["published another version" in text for text in caplog.messages] == [True]


def test_a_listing_of_before_the_last_commit_takes_nothing_back(machines: Machines, bucket: Bucket) -> None:
    """Another process of this machine published between the listing and the lock."""
    one = machines.store("one")
    publish(one, "test_tweets", b"old")
    head = Path(commits_there(bucket)[-1]).name
    publish(one, "test_tweets", b"newest")
    copy = one.mirrored("test_tweets")
    assert copy is not None
    copy.follow_unless_locked(head)
    assert copy.record().commit == Path(commits_there(bucket)[-1]).name
    assert content(one) == b"newest"
    send_unsent(one)
    assert generations(bucket) == [1, 2], "nothing was sent again"
