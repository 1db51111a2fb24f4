"""Two machines and a bucket: what one publishes, the other reads, whole or not at all."""

from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.store.current_link import CURRENT
from engage_pipeline.store.mirror.following import open_store, send_unsent
from engage_pipeline.store.plan import raw_sources
from engage_pipeline_tests.locations.conftest import every_store
from engage_pipeline_tests.locations.test_raw_input import content as raw_lines
from engage_pipeline_tests.locations.test_raw_input import publish as publish_part
from engage_pipeline_tests.object_store import Bucket, Network
from engage_pipeline_tests.orchestration.automation.test_parts_sensor import configure
from engage_pipeline_tests.store.mirror.machines import FILE, Machines, publish


def files_here(folder: Path) -> list[str]:
    """The files of versions that are on this machine."""
    return sorted(path.name for path in folder.glob("*-*/*"))


@every_store
def test_another_machine_reads_what_was_published(machines: Machines, bucket: Bucket) -> None:
    made = publish(machines.store("one"), "test_tweets", {FILE: b"abc", "other": b"defg"})
    two = machines.store("two")
    assert two.manifest("test_tweets") == made
    assert files_here(two.folder("test_tweets")) == [], "fetched when it is opened"
    version = two.open("test_tweets")
    assert version.path(FILE).read_bytes() == b"abc"
    assert files_here(two.folder("test_tweets")) == [FILE]
    assert [path.read_bytes() for path in sorted(version.directory().iterdir())] == [b"defg", b"abc"]
    keys = [key.removeprefix("engage/") for key in bucket.all_keys() if not key.endswith("/")]
    folder = f"ingest/test_tweets/{made.directory}"
    assert keys[1:] == [f"{folder}/other", f"{folder}/{FILE}"]
    assert keys[0].startswith("commits/ingest/test_tweets/0000000001-")


def test_what_is_there_is_not_fetched_again(machines: Machines, network: Network) -> None:
    publish(machines.store("one"), "test_tweets", b"abc")
    two = machines.store("two")
    two.open("test_tweets").path(FILE)
    network.cut_after(0)
    assert two.open("test_tweets").path(FILE).read_bytes() == b"abc"


def test_the_link_appears_when_all_files_are_here(machines: Machines) -> None:
    publish(machines.store("one"), "test_tweets", b"abc")
    two = machines.store("two")
    link = two.folder("test_tweets") / CURRENT
    assert not link.is_symlink()
    two.open("test_tweets").directory()
    assert two.stale("test_tweets") is None
    assert (link / FILE).read_bytes() == b"abc"


@every_store
def test_each_machine_goes_on_from_the_other(machines: Machines) -> None:
    names = ["one", "two", "three"]
    for turn, name in enumerate(names * 2):
        store = machines.store(name)
        if turn:
            assert store.open("test_tweets").path(FILE).read_bytes() == bytes([turn - 1])
        publish(store, "test_tweets", bytes([turn]))


def test_parts_are_found(machines: Machines, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    one = machines.store("one")
    for key in ("part-0", "part-1"):
        (tmp_path / "raw" / key).write_bytes(key.encode())
        with one.publish("tweet_parts", key, [tmp_path / "raw" / key]) as draft:
            draft.path(FILE).write_bytes(key.encode())
    two = machines.store("two")
    assert two.parts() == ["part-0", "part-1"]
    raw = tmp_path / "raw" / "part-1"
    assert two.stale("tweet_parts", "part-1", [raw]) is None
    assert two.open("tweet_parts", "part-1").path(FILE).read_bytes() == b"part-1"
    assert files_here(two.folder("tweet_parts", "part-0")) == []


def test_parts_of_raw_objects_are_current_on_every_machine(machines: Machines, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("train/part-00000", raw_lines("part-00000"))
    configs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        places = {"recsys_data": f"{bucket.uri}/train", "deletions": f"{bucket.uri}/deletions"}
        configs.append(configure(tmp_path / name, mirror=machines.mirror, **places))
    assert publish_part(configs[0], "part-00000") == 1
    two = open_store(load_settings(configs[1]))
    assert two.parts() == ["part-00000"]
    assert two.stale("tweet_parts", "part-00000", raw_sources(two.settings, "tweet_parts", "part-00000")) is None
    assert two.open("tweet_parts", "part-00000").directory().is_dir()


@every_store
def test_of_two_writers_the_later_is_told_and_follows(machines: Machines) -> None:
    one, two = machines.store("one"), machines.store("two")
    told = r"^ingest/test_tweets: another machine published it to \w+://.* meanwhile; its version \w{8} is used from"
    with pytest.raises(UserError, match=told), two.publish("test_tweets") as draft:
        draft.path(FILE).write_bytes(b"two")
        won = publish(one, "test_tweets", b"one")
    assert two.manifest("test_tweets") == one.manifest("test_tweets") == won
    assert two.open("test_tweets").path(FILE).read_bytes() == b"one"
    assert machines.store("three").open("test_tweets").path(FILE).read_bytes() == b"one"
    publish(two, "test_tweets", b"again")
    assert machines.store("one").open("test_tweets").path(FILE).read_bytes() == b"again"


def test_two_writers_of_the_same_content_agree(machines: Machines) -> None:
    one, two = machines.store("one"), machines.store("two")
    with two.publish("test_tweets") as draft:
        draft.path(FILE).write_bytes(b"same")
        won = publish(one, "test_tweets", b"same")
    assert two.manifest("test_tweets") == won
    assert files_here(two.folder("test_tweets")) == [FILE], "its own, not fetched"


@every_store
def test_a_damaged_object_is_refused(machines: Machines, bucket: Bucket) -> None:
    made = publish(machines.store("one"), "test_tweets", b"abc")
    key = f"engage/ingest/test_tweets/{made.directory}/{FILE}"
    two = machines.store("two")
    bucket.put(key, b"ab")
    with pytest.raises(UserError, match=rf"^{bucket.uri}/{key}: damaged: 2 bytes instead of 3$"):
        two.open("test_tweets").path(FILE)
    bucket.put(key, b"abb")
    with pytest.raises(UserError, match=rf"^{bucket.uri}/{key}: damaged: its SHA-256 differs from the manifest's$"):
        two.open("test_tweets").path(FILE)
    assert files_here(two.folder("test_tweets")) == []


def test_an_object_that_is_gone_is_sent_again_by_who_has_the_file(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one")
    made = publish(one, "test_tweets", {FILE: b"abc", "other": b"its"})
    two = machines.store("two")
    key = f"engage/ingest/test_tweets/{made.directory}/{FILE}"
    bucket.remove(key)
    with pytest.raises(UserError, match=rf"^{bucket.uri}/{key}: no such object$"):
        two.open("test_tweets").path(FILE)
    send_unsent(two)
    assert key not in bucket.all_keys()
    send_unsent(one)
    assert two.open("test_tweets").path(FILE).read_bytes() == b"abc"


def test_a_damaged_file_is_fetched_again(machines: Machines) -> None:
    one = machines.store("one")
    publish(one, "test_tweets", b"abc")
    path = one.open("test_tweets").path(FILE)
    for damage in (b"abb", b"ab"):
        path.write_bytes(damage)
        assert one.open("test_tweets").path(FILE).read_bytes() == b"abc"


def test_a_damaged_manifest_is_fetched_again(machines: Machines) -> None:
    one = machines.store("one")
    publish(one, "test_tweets", b"abc")
    (one.folder("test_tweets") / "manifest.json").write_bytes(b"{")
    assert one.stale("test_tweets") is None
    assert one.open("test_tweets").path(FILE).read_bytes() == b"abc"


def test_old_versions_leave_the_mirror_as_they_leave_the_disk(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one")
    made = [publish(one, "test_tweets", bytes([turn])) for turn in range(4)]
    keys = [key.removeprefix("engage/") for key in bucket.all_keys()]
    folders = {key.split("/")[2] for key in keys if key.startswith("ingest/")}
    assert folders == {made[2].directory, made[3].directory}
    assert len([key for key in keys if key.startswith("commits/ingest/test_tweets/0")]) == 2
    assert not [key for key in keys if key.endswith(".flag")]
