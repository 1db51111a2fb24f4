"""A part with too many bad lines fails, and what is wrong can be read: in the message, in the UI, line by line."""

import shutil
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.commands.data import rejects as rejects_command
from engage_pipeline.commands.status_table import read_status, status_table
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deletions.forgetting import forget_rows
from engage_pipeline.ingest.deletions.lists import read_deletions
from engage_pipeline.ingest.rejected_part import KEPT_BYTES, KEPT_LINES, bounded, kept_rejects
from engage_pipeline.ingest.rejects import Reject
from engage_pipeline_tests import worlds
from engage_pipeline_tests.faults.raw import ingest, manifest_of, part_of
from engage_pipeline_tests.test_cli import assert_one_line, engage
from engage_pipeline_tests.traces import traces

pytestmark = pytest.mark.long
EVERY = 20
"""Every twentieth line is made a bad one."""


def spoil(part: Path) -> list[tuple[int, bytes]]:
    """Makes every 20th line of a part a bad one of two kinds, in turn; the numbers and bytes of these lines."""
    lines = part.read_bytes().removesuffix(b"\n").split(b"\n")
    bad = []
    for place in range(EVERY, len(lines), EVERY):
        fields = lines[place].split(b"\x01")
        if len(bad) % 2:
            lines[place] = b"\x01".join(fields[:20])
        else:
            fields[10] = b"many"
            lines[place] = b"\x01".join(fields)
        bad.append((place, lines[place]))
    part.write_bytes(b"\n".join(lines) + b"\n")
    return bad


def kept_of(config: Path, name: str = "part-00001") -> Path:
    return kept_rejects(worlds.store_of(config).folder("tweet_parts", name))


def test_the_message_and_dagster_tell_of_kinds_and_examples(ingested: Path) -> None:
    before = manifest_of(ingested)
    bad = spoil(part_of(ingested))
    broken = len(bad) // 2
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(UserError) as raised:
            worlds.run(ingested, "tweet_parts", instance)
        (run,) = instance.get_runs()
        (event,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    message = str(raised.value)
    kinds = {"columns": broken, "engaged_with_user_follower_count": len(bad) - broken}
    lines = len(part_of(ingested).read_bytes().splitlines())
    assert f"{len(bad)} of {lines:,} lines can't be read" in message
    assert all(f"{kind} {count}" in message for kind, count in kinds.items())
    assert [f"line {number} (from 0): " in message for number in (20, 40, 60, 80, 100, 120)] == [True] * 5 + [False]
    assert "line 20 (from 0): engaged_with_user_follower_count: 'many' is no integer of 64 bits" in message
    assert "line 40 (from 0): columns: 20 instead of 24" in message
    assert "engage rejects part-00001" in message
    assert message.isprintable()
    failure = event.get_dagster_event().step_failure_data.user_failure_data
    assert failure is not None
    assert failure.metadata["part-00001: reasons"].value == kinds
    examples = failure.metadata["part-00001: examples"].value
    assert isinstance(examples, list)
    assert [example["line"] for example in examples] == [20, 40, 60, 80, 100]
    ids = {field.decode() for _, line in bad for field in line.split(b"\x01") if len(field) == 32}
    assert not [one for one in ids if one in message or one in str(failure.metadata)]
    assert manifest_of(ingested) == before


def test_the_rejects_are_kept_until_the_part_is_read_whole(ingested: Path) -> None:
    whole = part_of(ingested).read_bytes()
    bad = spoil(part_of(ingested))
    with pytest.raises(UserError, match="can't be read"):
        ingest(ingested)
    kept = pq.read_table(kept_of(ingested)).to_pylist()
    assert [(row["file"], row["line_number"], row["raw"]) for row in kept] == [
        ("part-00001", number, line) for number, line in bad
    ]
    assert {path.name for path in kept_of(ingested).parent.iterdir() if path.name.startswith(".")} == {".lock"}
    part_of(ingested).write_bytes(whole + b"one bad line\n")
    ingest(ingested)
    assert not kept_of(ingested).exists()


def test_status_names_a_part_that_is_new(ingested: Path) -> None:
    new = part_of(ingested).with_name("part-00077")
    shutil.copy(part_of(ingested), new)
    rows = {line.split()[0]: line for line in status_table(read_status(worlds.store_of(ingested))).splitlines() if line}
    assert rows["tweet_parts/part-00077"].endswith("not there yet")
    assert "interaction_features/part-00077" not in rows


def test_status_names_a_part_that_was_never_ingested(ingested: Path) -> None:
    shutil.rmtree(worlds.store_of(ingested).folder("tweet_parts", "part-00001"))
    spoil(part_of(ingested))
    with pytest.raises(UserError, match="part-00001"):
        ingest(ingested)
    rows = {line.split()[0]: line for line in status_table(read_status(worlds.store_of(ingested))).splitlines() if line}
    assert rows["tweet_parts/part-00001"].endswith("failed: `engage rejects part-00001` says why")
    assert rows["tweet_parts/part-00000"].endswith("current")


def test_the_command_shows_lines_of_failed_and_of_published_parts(ingested: Path) -> None:
    lines = part_of(ingested, "part-00000").read_bytes()
    part_of(ingested, "part-00000").write_bytes(lines + b"torn \xff\x01\x1b[31m\n")
    bad = spoil(part_of(ingested))
    with pytest.raises(UserError, match="part-00001"):
        ingest(ingested)

    home, config = ingested.parent, str(ingested)
    shown = engage("rejects", "part-00001", "--config", config, "--limit", "3", home=home)
    assert shown.returncode == 0, shown.stderr
    title, *rows = shown.stdout.splitlines()
    assert title == f"part-00001: {len(bad)} rejected lines kept of an attempt that failed, the first 3"
    assert [row.partition(": ")[0] for row in rows] == [
        f"part-00001, line {number} (from 0)" for number in (20, 40, 60)
    ]
    for row, (_, line) in zip(rows, bad, strict=False):
        assert row.partition(" | ")[2].startswith(repr(line[:300])[2:-1])

    shown = engage("rejects", "part-00000", "--config", config, home=home)
    number = lines.count(b"\n")
    assert shown.stdout.splitlines() == [
        f"part-00000: 1 rejected line of {number + 1:,} lines",
        f"part-00000, line {number} (from 0): encoding: invalid UTF-8 | torn \\xff\\x01\\x1b[31m",
    ]
    for wrong in ("part-00007", "../../etc", "validation_tweets", "test_tweets/part-9"):
        assert_one_line(engage("rejects", wrong, "--config", config, home=home), 1, wrong)


def test_test_parts_are_shown_too(ingested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test = part_of(ingested, "part-00000", "test")
    lines = test.read_bytes().count(b"\n") + 1
    test.write_bytes(test.read_bytes() + b"torn\n")
    worlds.run(ingested, "test_tweets")
    for name in ("test_tweets", "test_tweets/part-00000"):
        rejects_command(name, ingested)
        title, row = capsys.readouterr().out.splitlines()
        assert title == f"{name}: 1 rejected line of {lines} lines"
        assert row.endswith("columns: 1 instead of 20 | torn")
    with pytest.raises(UserError, match="no part part-9 in test_tweets"):
        rejects_command("test_tweets/part-9", ingested)


@pytest.mark.parametrize("listed", ["after", "before"])
def test_nothing_of_a_deleted_user_stays_in_what_is_kept(ingested: Path, listed: str) -> None:
    bad = spoil(part_of(ingested))
    viewer = schema.COLUMN_NAMES.index("engaging_user_id")
    user = bad[0][1].split(b"\x01")[viewer].decode()
    deletions = ingested.parent / "deletions"
    deletions.mkdir()
    worlds.write_config(ingested.parent, deletions="deletions")
    if listed == "before":
        (deletions / "users").write_text(user)
    with pytest.raises(UserError, match="can't be read"):
        ingest(ingested)
    left = [number for number, line in bad if user.encode() not in line]
    assert len(left) < len(bad)
    if listed == "after":
        assert traces(kept_of(ingested).parent, {user})[kept_of(ingested).name] == {user}
        (deletions / "users").write_text(user)
        done = forget_rows(worlds.store_of(ingested), read_deletions(deletions))
        failed = "tweet_parts/part-00001, rejected lines of a failed attempt"
        assert done.lines[failed] == len(bad) - len(left)
    assert kept_of(ingested).name not in traces(kept_of(ingested).parent, {user})
    assert pq.read_table(kept_of(ingested))["line_number"].to_pylist() == left


def test_what_is_kept_is_bounded() -> None:
    short = (Reject(number, "columns: 1", b"x") for number in range(2 * KEPT_LINES))
    assert [reject.line for reject in bounded(short)] == list(range(KEPT_LINES))
    long = (Reject(number, "columns: 1", bytes(1 << 20)) for number in range(100))
    kept = [len(reject.raw) for reject in bounded(long)]
    assert KEPT_BYTES < sum(kept) <= KEPT_BYTES + (1 << 20)
