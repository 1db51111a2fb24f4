"""Networks, refusals and kills while a version is sent: others read the version before, or the new one, whole."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.store.mirror.following import follow_mirror, send_unsent
from engage_pipeline_tests.object_store import Bucket, Gate, Network
from engage_pipeline_tests.store.mirror.machines import FILE, Machines, publish


def test_a_lost_upload_leaves_the_version_before_and_the_next_run_sends_it(
    machines: Machines, network: Network
) -> None:
    one = machines.store("one")
    publish(one, "test_tweets", b"before")
    network.cut_after(3000)
    with pytest.raises(UserError, match=r"^s3://bucket-\w+/engage/.*: AWS Error NETWORK_CONNECTION"):
        publish(one, "test_tweets", b"after")
    network.mend()
    assert one.open("test_tweets").path(FILE).read_bytes() == b"after", "the publication here stands"
    assert machines.store("two").open("test_tweets").path(FILE).read_bytes() == b"before"
    follow_mirror(one)
    assert one.open("test_tweets").path(FILE).read_bytes() == b"after"
    send_unsent(one)
    assert machines.store("two").open("test_tweets").path(FILE).read_bytes() == b"after"


@pytest.mark.long
def test_a_store_that_refuses_at_any_request_leaves_the_version_before_or_the_new_one(
    machines: Machines, gate: Gate, bucket: Bucket
) -> None:
    """Files, flag, commit, removal of old versions: after each the next run sends what is missing."""
    one = machines.store("one")
    before = b""
    for content in (b"first", b"second", b"third"):
        gate.open()
        publish(one, "test_tweets", before := content)
    changing = [number for number, (method, _) in enumerate(gate.requests, start=1) if method not in {"GET", "HEAD"}]
    seen = []
    for number in changing:
        content = f"after {number}".encode()
        gate.refuse_from(number)
        with pytest.raises(UserError, match=r"^s3://bucket-\w+/engage/\S+: .*(ACCESS_DENIED|403)"):
            publish(one, "test_tweets", content)
        gate.open()
        two = machines.store(f"two-{number}")
        found = two.open("test_tweets").path(FILE).read_bytes()
        assert found in {before, content}
        seen.append(found == content)
        follow_mirror(one)
        send_unsent(one)
        follow_mirror(two)
        assert two.open("test_tweets").path(FILE).read_bytes() == (before := content)
        assert two.manifest("test_tweets") == one.manifest("test_tweets")
        folders = {
            key.split("/")[3] for key in bucket.all_keys() if key.startswith("engage/ingest/") and key[-1] != "/"
        }
        assert len(folders) == 2, "the current one and the one before"
    assert seen == sorted(seen), "from the commit on it is there"
    assert {*seen} == {False, True}
    assert len(seen) > 10


def test_what_was_sent_is_not_sent_again(machines: Machines, gate: Gate) -> None:
    one = machines.store("one")
    gate.open()
    publish(one, "test_tweets", {name: name.encode() for name in "abc"})
    gate.refuse_from(1 + next(place for place, (_, key) in enumerate(gate.requests) if key.endswith("/c")))
    with pytest.raises(UserError, match="/c: "):
        publish(one, "test_tweets", {name: name.encode() * 2 for name in "abc"})
    gate.open()
    send_unsent(one)
    sent = {key[-2:] for method, key in gate.requests if method == "POST" and "/commits/" not in key}
    assert sent == {"/c"}
    assert machines.store("two").open("test_tweets").path("c").read_bytes() == b"cc"


@pytest.mark.long
@pytest.mark.parametrize("moment", ["/other", f"/{FILE}", ".flag", ".json", "DELETE"])
def test_a_killed_process_leaves_the_version_before_or_the_new_one(
    machines: Machines, gate: Gate, tmp_path: Path, moment: str
) -> None:
    """Killed at its first request that puts an object of such a name, or removes one."""
    publish(machines.store("one"), "test_tweets", {FILE: b"before", "other": b"its"})
    command = [sys.executable, "-m", "engage_pipeline_tests.store.mirror.child", tmp_path / "one", machines.mirror]
    gate.refuse_if(lambda method, key: method == moment or (method in {"PUT", "POST"} and key.endswith(moment)))
    children: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        children[0].kill()

    gate.at_limit = kill
    children.append(subprocess.Popen([*command, "after"], stderr=subprocess.DEVNULL))
    assert children[0].wait() == -signal.SIGKILL
    gate.open()
    two = machines.store("two")
    found = (two.open("test_tweets").directory() / FILE).read_bytes()
    assert found == (b"after" if moment == "DELETE" else b"before")
    subprocess.run([*command, "last"], check=True)
    follow_mirror(two)
    assert (two.open("test_tweets").directory() / FILE).read_bytes() == b"last"
