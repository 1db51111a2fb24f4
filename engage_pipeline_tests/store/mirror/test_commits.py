"""Commits without a conditional put: flags, generations, and what is left of killed writers."""

import threading
from collections import Counter

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.locations.objects import list_objects, write_object
from engage_pipeline.store.mirror import commits
from engage_pipeline.store.mirror.following import follow_mirror
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests.object_store import Bucket, object_path
from engage_pipeline_tests.store.mirror.machines import FILE, Machines, publish


def test_the_highest_generation_counts_and_a_tie_is_broken_by_name() -> None:
    first, second, third = (
        f"000000000{number}-{letter * 12}.json" for number, letter in ((1, "f"), (2, "a"), (2, "b"))
    )
    assert commits.last_commit([]) is None
    assert commits.last_commit([second, first]) == second
    assert commits.last_commit([third, second, first, "aaaa.flag", "9-x.json"]) == third


def test_who_raises_a_flag_sees_that_of_another_and_not_its_own(bucket: Bucket) -> None:
    folder = object_path(f"{bucket.uri}/flags")
    noted: list[str | None] = []
    with commits.raised_flag(folder, None, noted.append) as first:
        assert (first.alone, first.head) == (True, None)
        with commits.raised_flag(folder, None, noted.append) as second:
            assert not second.alone
    assert list_objects(folder) == []
    assert [name is None for name in noted] == [False, False, True, True]


def test_a_flag_of_a_killed_process_is_removed_by_its_age(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = object_path(f"{bucket.uri}/flags")
    write_object(folder / "000000000000.flag", b"\n")
    with commits.raised_flag(folder, None, lambda _: None) as seen:
        assert not seen.alone
    monkeypatch.setattr(commits, "FLAG_SECONDS", -1)
    with commits.raised_flag(folder, None, lambda _: None) as seen:
        assert seen.alone
    assert list_objects(folder) == []


def test_a_flag_that_this_folder_left_is_removed_at_once(bucket: Bucket) -> None:
    folder = object_path(f"{bucket.uri}/flags")
    write_object(folder / "000000000000.flag", b"\n")
    with commits.raised_flag(folder, "000000000000.flag", lambda _: None) as seen:
        assert seen.alone


def attempt(store: ArtifactStore, content: bytes, together: threading.Barrier, told: list[str]) -> None:
    try:
        with store.publish("test_tweets") as draft:
            draft.path(FILE).write_bytes(content)
            together.wait()
        told.append("")
    except UserError as error:
        told.append(str(error))


@pytest.mark.long
def test_of_writers_at_once_one_wins_and_every_other_is_told(machines: Machines) -> None:
    names = ["one", "two", "three"]
    won: Counter[str] = Counter()
    for turn in range(6):
        together, told = threading.Barrier(len(names)), {name: list[str]() for name in names}
        stores = {name: machines.store(name) for name in names}
        threads = [
            threading.Thread(target=attempt, args=(stores[name], f"{name} {turn}".encode(), together, told[name]))
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [name for name in names if told[name] == [""]]
        assert len(winners) <= 1
        reader = machines.store(f"reader-{turn}").open("test_tweets").path(FILE).read_bytes().decode()
        if winners:
            assert reader == f"{winners[0]} {turn}"
            won[winners[0]] += 1
        for name in {*names} - {*winners}:
            assert "another machine" in told[name][0]
            follow_mirror(stores[name])
    assert won.total() >= 4, "that all give way is rare"


def test_a_writer_that_meets_a_flag_until_the_end_is_told(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, bucket: Bucket
) -> None:
    monkeypatch.setattr("engage_pipeline.store.mirror.mirror._PAUSES", (0.01, 0.01))
    one = machines.store("one")
    bucket.put("engage/commits/ingest/test_tweets/000000000000.flag", b"\n")
    with pytest.raises(UserError, match=r"^ingest/test_tweets: another machine is publishing it to s3://.*: start"):
        publish(one, "test_tweets", b"abc")
    assert one.open("test_tweets").path(FILE).read_bytes() == b"abc"
    assert machines.store("two").manifest("test_tweets") is None
