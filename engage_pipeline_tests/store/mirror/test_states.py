"""What a commit holds beside the manifest: kept versions, unpublished artifacts, the ledger; and who may not use it."""

import shutil
from pathlib import Path

import pytest

from engage_pipeline.errors import StoreError, UserError
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.locations.objects import read_object
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.deletion_ledger import enter, read_ledger
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.mirror import ledgers
from engage_pipeline.store.mirror.following import follow_mirror, open_store, send_unsent
from engage_pipeline.store.mirror.state import State, read_state
from engage_pipeline.store.rewriting import note_facts, purge, remove, rewrite
from engage_pipeline.store.rules import Outcome, rule
from engage_pipeline.store.versions import Reader, Version
from engage_pipeline_tests.object_store import Bucket, Network, forget_connections
from engage_pipeline_tests.store.mirror.machines import FILE, Machines, publish

KEEPING = {"promotion": {"keep": 3}}


def folders(path: Path) -> set[str]:
    """The versions that have a folder on this machine."""
    return {one.name for one in path.iterdir() if is_version_folder(one)}


def folders_there(bucket: Bucket, place: str) -> set[str]:
    """The versions of which there are files in the bucket."""
    start = f"engage/{place}/"
    keys = [key.removeprefix(start) for key in bucket.all_keys() if key.startswith(start)]
    return {key.partition("/")[0] for key in keys if not key.endswith("/")} - {""}


def test_kept_versions_are_read_on_another_machine(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one", **KEEPING)
    made = [publish(one, "trained_model", content) for content in (b"a", b"b", b"c", b"d", b"e")]
    two = machines.store("two", **KEEPING)
    assert [version.path(FILE).read_bytes() for version in two.kept("trained_model")] == [b"d", b"c"]
    assert two.open("trained_model").path(FILE).read_bytes() == b"e"
    assert folders_there(bucket, "model/trained_model") == {one.directory for one in made[2:]}
    publish(two, "trained_model", b"f")
    follow_mirror(one)
    assert [version.path(FILE).read_bytes() for version in one.kept("trained_model")] == [b"e", b"d"]
    assert folders(one.folder("trained_model")) == folders(two.folder("trained_model"))


def test_a_version_that_another_machine_replaced_leaves_this_disk(machines: Machines) -> None:
    one, two = machines.store("one"), machines.store("two")
    for content in (b"a", b"b", b"c"):
        publish(one, "test_tweets", content)
        follow_mirror(two)
        two.open("test_tweets").path(FILE)
    assert folders(two.folder("test_tweets")) == folders(one.folder("test_tweets"))
    assert len(folders(two.folder("test_tweets"))) == 2


def test_a_rewritten_version_replaces_all_others_everywhere(machines: Machines, bucket: Bucket) -> None:
    one, two = machines.store("one"), machines.store("two")
    for content in (b"with ann", b"with ann and bob"):
        publish(one, "test_tweets", content)
    follow_mirror(two)
    two.open("test_tweets").path(FILE)
    with rewrite(one, "test_tweets") as (_, draft):
        draft.path(FILE).write_bytes(b"with bob")
    assert draft.manifest is not None
    assert folders_there(bucket, "ingest/test_tweets") == {draft.manifest.directory}
    follow_mirror(two)
    assert folders(two.folder("test_tweets")) == {draft.manifest.directory}
    assert two.open("test_tweets").path(FILE).read_bytes() == b"with bob"


def test_what_is_purged_is_purged_everywhere(machines: Machines, bucket: Bucket) -> None:
    one, two = machines.store("one", **KEEPING), machines.store("two", **KEEPING)
    made = [publish(one, "trained_model", content) for content in (b"a", b"b", b"c")]
    follow_mirror(two)
    assert len(two.kept("trained_model")) == 2
    purge(one, "trained_model")
    follow_mirror(two)
    assert folders_there(bucket, "model/trained_model") == folders(two.folder("trained_model")) == {made[2].directory}
    assert two.kept("trained_model") == []
    assert two.open("trained_model").path(FILE).read_bytes() == b"c"


def test_what_is_removed_is_removed_everywhere_and_may_be_made_again(machines: Machines, bucket: Bucket) -> None:
    one, two = machines.store("one"), machines.store("two")
    publish(one, "test_tweets", b"abc")
    follow_mirror(two)
    remove(one, "test_tweets")
    assert folders_there(bucket, "ingest/test_tweets") == set()
    for store in (one, two, machines.store("three")):
        follow_mirror(store)
        assert store.manifest("test_tweets") is None
        assert store.stale("test_tweets") == "not there yet"
    publish(two, "test_tweets", b"again")
    follow_mirror(one)
    assert one.open("test_tweets").path(FILE).read_bytes() == b"again"


def test_noted_facts_arrive_without_files(machines: Machines) -> None:
    one, two = machines.store("one"), machines.store("two")
    publish(one, "test_tweets", b"abc")
    follow_mirror(two)
    note_facts(one, one.open("test_tweets"), Facts(seconds=7.5))
    follow_mirror(two)
    assert Facts.read(two.open("test_tweets").manifest).seconds == 7.5


@rule("{rows} rows")
def one_row(store: Reader, version: Version) -> Outcome:
    """There is one row."""
    rows = version.manifest.rows or 0
    return Outcome("" if rows == 1 else f"{rows} rows", {"rows": rows})


def test_a_version_that_failed_a_check_is_used_nowhere(machines: Machines) -> None:
    one, two = machines.store("one", one_row), machines.store("two", one_row)
    publish(one, "test_tweets", {"a": b"a", "b": b"b"})
    follow_mirror(two)
    for store in (one, two):
        assert store.current("test_tweets") is None
        assert store.stale("test_tweets") == "failed a check (2 rows)"
        with pytest.raises(UserError, match="test_tweets failed a check"):
            store.open("test_tweets")


def test_a_verdict_by_other_limits_stays_on_its_machine(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one", one_row)
    publish(one, "test_tweets", b"abc")
    strict = machines.store("two", one_row, checks={"drift_psi": 9.0})
    strict.judge_again(strict.open("test_tweets").manifest)
    follow_mirror(strict)
    assert strict.manifest("test_tweets") != one.manifest("test_tweets")
    before = bucket.all_keys()
    send_unsent(strict)
    assert bucket.all_keys() == before


def test_the_ledger_of_deletions_is_merged(machines: Machines, bucket: Bucket) -> None:
    one, two = machines.store("one"), machines.store("two")
    first = publish(one, "test_tweets", b"abc")
    second = publish(two, "validation_tweets", b"def")
    enter(one, [first])
    enter(two, [second])
    follow_mirror(one)
    assert read_ledger(one) == read_ledger(two)
    assert read_ledger(one).keys() == {"test_tweets", "validation_tweets"}
    assert (
        len([key for key in bucket.all_keys() if key.startswith("engage/commits/deletions/") and key[-1] != "/"]) == 1
    )
    assert read_ledger(machines.store("three")) == read_ledger(one)


def merging_machine(machines: Machines, monkeypatch: pytest.MonkeyPatch, times: int) -> list[ObjectPath]:
    """Lets another machine merge the ledgers into a new one just before each of the first `times` reads; returns the
    objects that are read."""
    other, reads = machines.store("merging"), list[ObjectPath]()

    def late(path: ObjectPath) -> bytes:
        reads.append(path)
        if len(reads) <= times:
            monkeypatch.setattr(ledgers, "read_object", read_object)
            follow_mirror(other)
            enter(other, [publish(other, "test_tweets", b"%d" % len(reads))])
            monkeypatch.setattr(ledgers, "read_object", late)
        return read_object(path)

    monkeypatch.setattr(ledgers, "read_object", late)
    return reads


def test_a_ledger_that_is_merged_into_another_while_it_is_read_is_found_there(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines.store("one"), machines.store("two")
    enter(one, [publish(one, "validation_tweets", b"def")])
    merging_machine(machines, monkeypatch, 2)
    follow_mirror(two)
    assert read_ledger(two).keys() == {"test_tweets", "validation_tweets"}
    assert len(read_ledger(two)["test_tweets"]) == 2


def test_reading_a_ledger_that_is_merged_again_and_again_ends(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = machines.store("one"), machines.store("two")
    enter(one, [publish(one, "validation_tweets", b"def")])
    reads = merging_machine(machines, monkeypatch, 100)
    with pytest.raises(UserError, match="no such object"):
        follow_mirror(two)
    assert len(reads) == ledgers.TRIES


def test_a_store_that_refuses_a_ledger_is_asked_once(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: ObjectPath) -> bytes:
        reads.append(path)
        raise StoreError(f"{path}: refused")

    one, reads = machines.store("one"), list[ObjectPath]()
    enter(one, [publish(one, "validation_tweets", b"def")])
    monkeypatch.setattr(ledgers, "read_object", refused)
    with pytest.raises(StoreError, match="refused"):
        machines.store("two")
    assert len(reads) == 1


def test_a_damaged_commit_is_refused_by_name(machines: Machines, bucket: Bucket) -> None:
    publish(machines.store("one"), "test_tweets", b"abc")
    (key,) = [key for key in bucket.all_keys() if key.endswith(".json")]
    content = bucket.get(key)
    for place in range(0, len(content), 97):
        flipped = bytearray(content)
        flipped[place] ^= 1
        bucket.put(key, bytes(flipped))
        with pytest.raises(UserError, match=rf"^{bucket.uri}/{key}: damaged: not a commit of ingest/test_tweets$"):
            machines.store("two")
    bucket.put(key, content)
    assert machines.store("two").open("test_tweets").path(FILE).read_bytes() == b"abc"


def test_a_commit_names_no_folder_outside(machines: Machines) -> None:
    one = machines.store("one")
    made = publish(one, "test_tweets", b"abc")
    assert read_state(State(made, (), (made.directory,)).to_json(), one.folder("test_tweets")).folders
    for name in ("..", "../secret", "other"):
        with pytest.raises(ValueError, match="a folder of no version"):
            read_state(State(made, (), (name,)).to_json(), one.folder("test_tweets"))


def test_a_mirror_that_is_not_there_is_one_line(machines: Machines, network: Network, bucket: Bucket) -> None:
    settings = machines.settings("one", mirror="s3://no-such-bucket-anywhere/engage")
    with pytest.raises(UserError, match=r"^s3://no-such-bucket-anywhere.*no such bucket; the setting mirror names it$"):
        open_store(settings)
    network.cut_after(0)
    forget_connections()
    with pytest.raises(UserError, match=r"^s3://bucket-\w+/engage/commits: .*AWS Error NETWORK_CONNECTION"):
        open_store(machines.settings("one"))


@pytest.mark.parametrize("value", ["data/mirror", "/mnt/mirror", "hdfs://name/engage", "ftp://host/x", 3, "s3://"])
def test_a_mirror_is_an_object_store(machines: Machines, value: object) -> None:
    with pytest.raises(UserError, match="mirror: "):
        machines.settings("one", mirror=value)


def test_a_mirror_that_was_emptied_gets_everything_once_more(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one")
    publish(one, "test_tweets", b"abc")
    for key in bucket.all_keys():
        bucket.remove(key)
    send_unsent(one)
    assert machines.store("two").open("test_tweets").path(FILE).read_bytes() == b"abc"


def test_a_version_that_a_hand_removed_here_stays_in_the_mirror(machines: Machines, bucket: Bucket) -> None:
    one = machines.store("one", **KEEPING)
    made = [publish(one, "trained_model", content) for content in (b"a", b"b", b"c")]
    for manifest in made:
        shutil.rmtree(one.folder("trained_model") / manifest.directory)
    send_unsent(one)
    assert folders_there(bucket, "model/trained_model") == {manifest.directory for manifest in made}
    assert one.open("trained_model").path(FILE).read_bytes() == b"c"
    assert [version.path(FILE).read_bytes() for version in machines.store("two").kept("trained_model")] == [b"b", b"a"]


def test_another_mirror_gets_everything(machines: Machines, bucket: Bucket) -> None:
    publish(machines.store("one"), "test_tweets", b"abc")
    other = Machines(machines.folder, f"{bucket.uri}/other")
    send_unsent(other.store("one"))
    assert other.store("two").open("test_tweets").path(FILE).read_bytes() == b"abc"
