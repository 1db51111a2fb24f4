"""Checks that warn are told of on the command line: one line each, a count, and only while they are true."""

from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline_tests import worlds
from engage_pipeline_tests.test_cli import engage

pytestmark = pytest.mark.long


def warnings(text: str) -> list[str]:
    return [
        line for line in text.splitlines() if line.startswith("warning: ") or line.endswith((" warning", " warnings"))
    ]


def lost(part: str, rows: str, before: int) -> str:
    return f"warning: tweet_parts: no_rows_are_lost: {part}: {rows} fewer than the {before:,} of the version before"


def test_a_failed_warning_is_a_line_until_its_version_is_replaced(ingested: Path) -> None:
    folder = ingested.parent
    raw = folder / "raw" / "train" / "part-00001"
    lines = raw.read_bytes().splitlines(keepends=True)
    raw.write_bytes(b"".join(lines[:-5]))
    line = lost("part-00001", "5 rows", len(lines))

    done = engage("backfill", "--config", str(ingested), home=folder)
    assert done.returncode == 0, done.stderr
    assert warnings(done.stdout) == [line, "1 warning"]
    assert done.stdout.splitlines()[0] == "1 part of tweet_parts made in 1 run"
    assert warnings(engage("status", "--config", str(ingested), home=folder).stdout) == [line, "1 warning"]

    (folder / "raw" / "train" / "part-00002").write_bytes(b"")  # a failure beside it
    failed = engage("backfill", "--config", str(ingested), home=folder)
    assert failed.returncode == 1
    assert warnings(failed.stdout) in ([line, "1 warning"], [])  # the checks are skipped where a part fails
    (said,) = [line for line in failed.stderr.splitlines() if "empty" in line]
    assert said.startswith("engage: ")

    with dg.DagsterInstance.ephemeral() as elsewhere:  # published anew, and Dagster does not know of it
        raw.write_bytes(b"".join(lines))
        (folder / "raw" / "train" / "part-00002").unlink()
        worlds.run(ingested, "tweet_parts", elsewhere)
    assert warnings(engage("status", "--config", str(ingested), home=folder).stdout) == []


def test_a_run_tells_of_warnings_after_its_summary(ingested: Path) -> None:
    folder = ingested.parent
    raw = folder / "raw" / "train" / "part-00000"
    lines = raw.read_bytes().splitlines(keepends=True)
    raw.write_bytes(b"".join(lines[:-1]))
    done = engage("run", "--target", "tweet_parts", "--config", str(ingested), home=folder)
    made, *told = done.stdout.splitlines()
    assert (done.returncode, made) == (0, "1 artifact made")
    assert told == [
        lost("part-00000", "1 row", len(lines)),
        "1 warning",
    ]


def test_status_works_without_dagster_and_with_a_store_that_can_t_be_read(ingested: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    alone = engage("status", "--config", str(ingested), cwd=elsewhere)
    assert alone.returncode == 0
    assert "tweet_parts/part-00000" in alone.stdout
    assert not list(elsewhere.iterdir())
    (elsewhere / "dagster.yaml").write_text("storage: nonsense\n", encoding="utf-8")
    broken = engage("status", "--config", str(ingested), home=elsewhere)
    assert (broken.returncode, broken.stderr) == (0, "")
    assert "tweet_parts/part-00000" in broken.stdout
    assert broken.stdout.splitlines()[-1].startswith("the warnings of checks can't be read from Dagster: ")
