"""Versions in the mirror that no commit names: of killed senders, and of those that gave way. They may hold deleted
rows, so `engage forget` removes them; and none that is just being sent is lost."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.mirror import files
from engage_pipeline.store.mirror.following import follow_mirror, remove_unnamed
from engage_pipeline.store.rewriting import purge, remove, rewrite
from engage_pipeline_tests.locations.conftest import every_store
from engage_pipeline_tests.object_store import Bucket, Gate, object_path
from engage_pipeline_tests.store.mirror.machines import FILE, Machines, publish
from engage_pipeline_tests.store.mirror.test_states import folders_there

PART = "part-00002"
ANN = b"with ann"


def holding_ann(bucket: Bucket) -> list[str]:
    """The keys of the objects with deleted rows."""
    return [key for key in bucket.all_keys() if not key.endswith("/") and ANN in bucket.get(key)]


@every_store
def test_who_gives_way_takes_back_what_it_sent(machines: Machines, bucket: Bucket) -> None:
    one, two = machines.store("one"), machines.store("two")
    publish(one, "test_tweets", ANN)
    follow_mirror(two)
    with pytest.raises(UserError, match="another machine published it"), one.publish("test_tweets") as draft:
        draft.path(FILE).write_bytes(ANN + b" and bob")
        with rewrite(two, "test_tweets") as (_, rewritten):
            rewritten.path(FILE).write_bytes(b"with bob")
    assert holding_ann(bucket) == []
    assert rewritten.manifest is not None
    assert folders_there(bucket, "ingest/test_tweets") == {rewritten.manifest.directory}
    assert one.open("test_tweets").path(FILE).read_bytes() == b"with bob"


def lost_after_sending(machines: Machines, gate: Gate, name: str, key: str | None) -> None:
    """A machine sends the files of a version, and is gone before its flag is raised."""
    store = machines.store("lost")
    gate.refuse_if(lambda method, key: method in {"PUT", "POST"} and key.endswith(".flag"))
    with pytest.raises(UserError):
        publish(store, name, ANN, key)
    gate.open()
    shutil.rmtree(machines.folder / "lost")


@pytest.mark.parametrize(("name", "key"), [("test_tweets", None), ("tweet_parts", PART)])
@pytest.mark.parametrize("known", [True, False])
def test_what_a_killed_sender_left_is_removed(
    machines: Machines, bucket: Bucket, gate: Gate, name: str, key: str | None, known: bool
) -> None:
    """`known`: there is a commit of the artifact or part."""
    one, two = machines.store("one"), machines.store("two")
    made = publish(one, name, b"with bob", key) if known else None
    follow_mirror(two)
    lost_after_sending(machines, gate, name, key)
    assert len(holding_ann(bucket)) == 1
    purge(one, name, key)
    assert len(holding_ann(bucket)) == 1, "nothing else removes it"
    assert remove_unnamed(two) == []
    assert holding_ann(bucket) == []
    place = "/".join(["ingest", name, *([key] if key else [])])
    assert folders_there(bucket, place) == ({made.directory} if made else set())
    for store in (one, two):
        follow_mirror(store)
        assert store.manifest(name, key) == made
    if made:
        assert machines.store("three").open(name, key).path(FILE).read_bytes() == b"with bob"


def test_what_an_unpublished_artifact_left_is_removed(machines: Machines, bucket: Bucket, gate: Gate) -> None:
    one = machines.store("one")
    publish(one, "test_tweets", b"with bob")
    remove(one, "test_tweets")
    lost_after_sending(machines, gate, "test_tweets", None)
    assert remove_unnamed(one) == []
    assert holding_ann(bucket) == []


def test_kept_and_earlier_versions_stay(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one", promotion={"keep": 3})
    made = [publish(one, "trained_model", content) for content in (b"a", b"b", b"c")]
    both = [publish(one, "test_tweets", content) for content in (b"a", b"b")]
    bucket.put("engage/model/trained_model/0000000000000000-000000/x", ANN)
    bucket.put("engage/ingest/test_tweets/0000000000000000-000000/x", ANN)
    assert remove_unnamed(machines.store("two")) == []
    assert folders_there(bucket, "model/trained_model") == {one.directory for one in made}
    assert folders_there(bucket, "ingest/test_tweets") == {one.directory for one in both}


def test_a_version_that_was_not_sent_yet_is_sent_first(machines: Machines, bucket: Bucket, gate: Gate) -> None:
    """Until then the last commit names a version that this machine does not keep."""
    one = machines.store("one")
    made = [publish(one, "test_tweets", content) for content in (b"a", b"b")]
    gate.refuse_if(lambda method, key: method in {"PUT", "POST"} and key.endswith(".flag"))
    with pytest.raises(UserError):
        publish(one, "test_tweets", b"c")
    gate.open()
    made.append(one.open("test_tweets").manifest)
    bucket.put("engage/ingest/test_tweets/0000000000000000-000000/x", ANN)
    copy = one.mirrored("test_tweets")
    assert copy is not None
    copy.remove_unnamed()
    assert folders_there(bucket, "ingest/test_tweets") >= {manifest.directory for manifest in made}
    assert remove_unnamed(one) == []
    assert folders_there(bucket, "ingest/test_tweets") == {manifest.directory for manifest in made[1:]}
    assert machines.store("two").open("test_tweets").path(FILE).read_bytes() == b"c"


@pytest.mark.parametrize("first", [True, False])
def test_files_that_another_machine_is_just_sending_are_not_lost(
    machines: Machines, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    """It looks for them once more below its flag. `first`: there is no commit yet."""
    one, two = machines.store("one"), machines.store("two")
    if not first:
        publish(one, "test_tweets", b"before")
    sent, send = list[str](), files.send_missing

    def swept(folder: Path, mirrored: ObjectPath, versions: Sequence[Manifest]) -> None:
        send(folder, mirrored, versions)
        if not sent:
            sent.extend(folders_there(bucket, "ingest/test_tweets"))
            assert remove_unnamed(two) == []
            assert versions[0].directory not in folders_there(bucket, "ingest/test_tweets")

    monkeypatch.setattr(files, "send_missing", swept)
    made = publish(one, "test_tweets", b"after")
    assert made.directory in sent
    assert machines.store("three").open("test_tweets").path(FILE).read_bytes() == b"after"


def test_a_place_where_another_machine_commits_is_left_and_named(
    machines: Machines, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engage_pipeline.store.mirror.mirror._PAUSES", (0.01,))
    one = machines.store("one")
    publish(one, "validation_tweets", b"with bob")
    for name in ("test_tweets", "validation_tweets"):
        bucket.put(f"engage/ingest/{name}/0000000000000000-000000/x", ANN)
    bucket.put("engage/commits/ingest/test_tweets/000000000000.flag", b"\n")
    (problem,) = remove_unnamed(one)
    assert problem.startswith("ingest/test_tweets: another machine is publishing it to ")
    assert holding_ann(bucket) == ["engage/ingest/test_tweets/0000000000000000-000000/x"]


def test_a_commit_that_came_meanwhile_keeps_its_files(
    machines: Machines, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this machine knows is one commit behind: the folders of that commit are not others."""
    one, two = machines.store("one"), machines.store("two")
    publish(one, "test_tweets", b"before")
    follow_mirror(two)
    copy = two.mirrored("test_tweets")
    assert copy is not None
    made = publish(one, "test_tweets", b"after")
    copy.remove_unnamed()
    assert made.directory in folders_there(bucket, "ingest/test_tweets")


def test_what_belongs_to_no_artifact_and_no_mirror_is_left_alone(machines: Machines, bucket: Bucket) -> None:
    publish(machines.store("one"), "test_tweets", b"with bob")
    for key in ("ingest/of_another_version/0-0/x", "notes.txt", "deep/er/and/deeper/x"):
        bucket.put(f"engage/{key}", ANN)
    before = bucket.all_keys()
    assert remove_unnamed(machines.store("two")) == []
    assert bucket.all_keys() == before
    assert remove_unnamed(machines.store("alone", mirror=None)) == []


def empty_objects(bucket: Bucket, url: str) -> list[str]:
    """The keys of S3's objects of no bytes, which pyarrow does not list."""
    import boto3

    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
    found = client.list_objects_v2(Bucket=bucket.uri.removeprefix("s3://"))["Contents"]
    return [one["Key"] for one in found if not one["Size"]]


def test_a_removed_version_leaves_no_empty_object(machines: Machines, bucket: Bucket, s3_url: str) -> None:
    one = machines.store("one")
    publish(one, "test_tweets", {"a": b"a", "b": b"b"})
    counts = []
    for turn in range(5):
        publish(one, "test_tweets", {"a": b"%d" % turn, "b": b"b"})
        counts.append(len(empty_objects(bucket, s3_url)))
    # pyarrow makes one for the folder of the versions, and of the commits, at the first removal.
    assert [key for key in empty_objects(bucket, s3_url) if key.count("/") > 4] == []
    assert len({*counts[1:]}) == 1
    assert counts[-1] <= 2


@every_store
def test_folders_that_earlier_versions_of_the_program_emptied_go_too(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one")
    bucket.put("engage/ingest/test_tweets/0000000000000000-000000/x", ANN)
    bucket.remove("engage/ingest/test_tweets/0000000000000000-000000/x")
    made = [publish(one, "test_tweets", b"%d" % turn) for turn in range(4)]
    place = object_path(f"{machines.mirror}/ingest/test_tweets")
    assert files.list_names(place) == {manifest.directory for manifest in made[2:]}
