"""No version is used that has not passed its rules, whoever made it, whatever failed beside it, whenever it died."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.backfilling import backfill
from engage_pipeline.orchestration.checks.finding import LOOKS
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds
from engage_pipeline_tests.orchestration.checks.looking import distrusted, failed, look, raw_lines, write_lines

pytestmark = pytest.mark.long
LIKE, QUOTE = (
    schema.COLUMN_NAMES.index(schema.engagement_timestamp(name)) for name in ("like", "retweet_with_comment")
)
GARBAGE = [["garbage"]] * 60
"""Of 1,016 lines more than the 1 % that may be rejected."""


def part(config: Path, name: str, window: str = "train") -> Path:
    return config.parent / "raw" / window / name


def twins_beside_garbage(config: Path) -> None:
    part(config, "part-00001").write_bytes(part(config, "part-00000").read_bytes())
    write_lines(part(config, "part-00002"), [*raw_lines(part(config, "part-00002")), *GARBAGE])


def a_doubled_part_beside_an_empty_one(config: Path) -> None:
    write_lines(part(config, "part-00001"), 2 * raw_lines(part(config, "part-00001")))
    part(config, "part-00002").write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (twins_beside_garbage, "part-00001: failed a check (the same content as part-00000: remove one of the two)"),
        (a_doubled_part_beside_an_empty_one, "part-00001: failed a check (1,017 of 2,034 rows come twice"),
    ],
)
def test_a_part_is_judged_although_another_part_of_its_run_failed(
    ingested: Path, harm: Callable[[Path], None], said: str
) -> None:
    harm(ingested)
    with dg.DagsterInstance.ephemeral() as instance:
        done = backfill(Pipeline(config=str(ingested)), instance, "tweet_parts", [])
        seen = evaluated(instance, "tweet_parts")
    assert said in "; ".join(done.failures)
    assert "part-00002" in "; ".join(done.failures)
    blocked = "no_part_comes_twice" if harm is twins_beside_garbage else "few_rows_come_twice"
    blocking = {name for name, (_, blocking) in LOOKS["tweet_parts"].items() if blocking}
    assert {name: seen[name][0] for name in blocking} == {**dict.fromkeys(blocking, "SUCCEEDED"), blocked: "FAILED"}
    assert {status for status, _ in seen.values()} <= {"SUCCEEDED", "FAILED"}
    part(ingested, "part-00002").unlink()
    for target in ("interaction_counts", "author_similarity"):
        with pytest.raises(UserError, match="part-00001"):
            worlds.run(ingested, target)
    assert distrusted(ingested, "tweet_parts") == {"part-00001"}
    assert worlds.store_of(ingested).manifest("interaction_counts") is None


def evaluated(instance: dg.DagsterInstance, asset: str) -> dict[str, tuple[str, str]]:
    """Status and description of each check of an asset, as Dagster has them."""
    found = {}
    for name in (*LOOKS[asset], "predates_no_deletion"):
        key = dg.AssetCheckKey(dg.AssetKey(asset), name)
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        event = record.event.dagster_event if record.event else None
        data = event.asset_check_evaluation_data if event and event.event_type_value.endswith("EVALUATION") else None
        found[name] = record.status.value, str(data.description) if data else ""
    return found


def test_checks_of_an_asset_that_failed_say_why_they_did_not_look(ingested: Path) -> None:
    part(ingested, "part-00000", "validation").write_bytes(b"")
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(UserError, match="part-00000: the file is empty"):
            worlds.run(ingested, "validation_tweets", instance)
        seen = evaluated(instance, "validation_tweets")
    assert {status for status, _ in seen.values()} == {"FAILED"}
    assert all(said.startswith("not looked at: validation_tweets failed: ") for _, said in seen.values())


def test_twins_of_which_the_earlier_name_came_later(ingested: Path) -> None:
    part(ingested, "part-0000").write_bytes(part(ingested, "part-00001").read_bytes())
    with pytest.raises(UserError, match="part-0000: the same content as part-00001"):
        worlds.run(ingested, "tweet_parts")
    assert distrusted(ingested, "tweet_parts") == {"part-0000"}


def test_twins_that_no_rule_of_parts_has_seen_together_are_not_counted(ingested: Path) -> None:
    """The file of a part comes back after its content was read under another name."""
    content = part(ingested, "part-00000").read_bytes()
    part(ingested, "part-00000").unlink()
    part(ingested, "part-00009").write_bytes(content)
    worlds.run(ingested, "tweet_parts")
    part(ingested, "part-00000").write_bytes(content)
    os.utime(part(ingested, "part-00000"), ns=(0, 0))
    said = "part-00009 has the same content as part-00000"
    with pytest.raises(UserError, match=said):
        worlds.run(ingested, "interaction_counts")
    with pytest.raises(UserError, match=said):
        worlds.store_of(ingested).open("interaction_counts")


KILLED = """
import os, signal, sys
from pathlib import Path
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline.settings.settings import load_settings
from engage_pipeline.ingest.deletions.lists import NO_DELETIONS
from engage_pipeline.ingest.part_publishing import publish_part
replace = Path.replace
def killed(self, target):
    replace(self, target)
    if Path(target).name == "manifest.json":
        os.kill(os.getpid(), signal.SIGKILL)
Path.replace = killed
publish_part(ArtifactStore(load_settings(Path(sys.argv[1]))), NO_DELETIONS, "part-00001")
"""


def test_a_kill_between_publishing_and_checking_lets_nothing_through(ingested: Path) -> None:
    lines = raw_lines(part(ingested, "part-00001"))
    write_lines(part(ingested, "part-00001"), lines + lines[:300])
    process = subprocess.run([sys.executable, "-c", KILLED, str(ingested)], check=False, capture_output=True)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    assert worlds.store_of(ingested).manifest("tweet_parts", "part-00001").rows == len(lines) + 300  # type: ignore[union-attr]
    with pytest.raises(UserError, match="300 of 1,317 rows come twice"):
        worlds.store_of(ingested).open("tweet_parts", "part-00001")
    with pytest.raises(UserError, match="300 of 1,317 rows come twice"):
        worlds.run(ingested, "interaction_counts")


def test_a_limit_that_is_tightened_later_stops_the_next_run(ingested: Path) -> None:
    worlds.run(ingested, "interaction_counts")
    assert worlds.run(ingested, "interaction_counts") == []
    worlds.write_config(ingested.parent, checks={"first_day": "2021-02-05"})
    with pytest.raises(UserError, match=r"rows lie outside 2021-02-05 to .*2021-02-04"):
        worlds.run(ingested, "interaction_counts")
    worlds.write_config(ingested.parent, checks={"first_day": "2021-02-01"})
    assert worlds.run(ingested, "interaction_counts") == []


@pytest.mark.parametrize(("window", "artifact"), [("validation", "validation_tweets"), ("test", "test_tweets")])
def test_a_part_of_two_windows_is_blocked_and_both_are_named(ingested: Path, window: str, artifact: str) -> None:
    columns = schema.N_TEST_COLUMNS if window == "test" else len(schema.COLUMNS)
    write_lines(
        part(ingested, "part-00000", window), [line[:columns] for line in raw_lines(part(ingested, "part-00002"))]
    )
    said = "1,017 of 1,017 sampled rows are in tweet_parts/part-00002 too"
    with pytest.raises(UserError, match=f"{artifact}: check no_row_is_in_another_window failed: .*{said}"):
        worlds.run(ingested, artifact)
    # From the other side too: the part was read, and passed, before the other window was.
    with pytest.raises(UserError, match=f"part-00002 failed a check .* are in {artifact} too"):
        worlds.store_of(ingested).open("tweet_parts", "part-00002")
    part(ingested, "part-00002").unlink()
    assert artifact in {step.artifact for step in worlds.run(ingested, artifact)}


def test_a_validation_part_that_is_drawn_from_many_training_parts_is_blocked(ingested: Path) -> None:
    drawn = [line for number in range(3) for line in raw_lines(part(ingested, f"part-0000{number}"))[:8]]
    validation = part(ingested, "part-00000", "validation")
    write_lines(validation, raw_lines(validation) + drawn)
    with pytest.raises(UserError, match="24 of 504 sampled rows are in tweet_parts/part-0000"):
        worlds.run(ingested, "validation_tweets")


def test_labels_that_are_not_there_stop_the_counts_unless_they_are_allowed_to_be_missing(ingested: Path) -> None:
    for number in range(3):
        lines = raw_lines(part(ingested, f"part-0000{number}"))
        for fields in lines:
            for column in range(schema.N_TEST_COLUMNS, len(schema.COLUMNS)):
                fields[column] = fields[column] if column == LIKE else ""
        write_lines(part(ingested, f"part-0000{number}"), lines)
    said = "none of the 3,050 training rows has reply or retweet or retweet_with_comment"
    with pytest.raises(UserError, match=said):
        worlds.run(ingested, "interaction_counts")
    told = failed(look(ingested, "tweet_parts"))
    assert told.keys() == {"label_rates_are_plausible"}
    assert "retweet_with_comment 0.00% of 3,050 rows (checks.label_rates: 0.07% to 7.00%)" in str(told)
    allowed = ["reply", "retweet", "retweet_with_comment"]
    worlds.write_config(ingested.parent, checks={"allow_missing_engagements": allowed})
    assert worlds.run(ingested, "interaction_counts") == []
    worlds.store_of(ingested).open("interaction_counts")
    assert failed(look(ingested, "tweet_parts")) == {}


@pytest.mark.parametrize(("lines", "what"), [(3, "held out"), (1, "to fine-tune on")])
def test_a_validation_part_without_rows_to_hold_out_or_to_fine_tune_on(ingested: Path, lines: int, what: str) -> None:
    worlds.write_config(ingested.parent, validation_percentage=0.01 if lines == 3 else 0.999)
    validation = part(ingested, "part-00000", "validation")
    write_lines(validation, raw_lines(validation)[:lines])
    with pytest.raises(UserError, match=f"none of the {lines} rows is {what} "):
        worlds.run(ingested, "validation_tweets")
