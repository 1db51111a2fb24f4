"""Faults of raw parts: the run that ingests them stops, names the part, and no later run opens it."""

import gzip
import random
from datetime import date
from pathlib import Path

import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.checks.ingest import CHECKS
from engage_pipeline_tests import worlds
from engage_pipeline_tests.orchestration.checks.looking import distrusted, failed, look, raw_lines, write_lines

pytestmark = pytest.mark.long
PARTS = ["part-00000", "part-00001", "part-00002"]
TWEET, VIEWER = (schema.COLUMN_NAMES.index(name) for name in ("tweet_id", "engaging_user_id"))
TIMES = [i for i, name in enumerate(schema.COLUMN_NAMES) if name.endswith("_timestamp")]
LIKE = schema.COLUMN_NAMES.index(schema.engagement_timestamp("like"))
IN_2030 = 1_900_000_000


def raw(config: Path, name: str) -> Path:
    return config.parent / "raw" / "train" / name


def ingest(config: Path) -> None:
    worlds.run(config, "tweet_parts")


def others_are_open(config: Path, guilty: str) -> bool:
    store = worlds.store_of(config)
    return all(store.open("tweet_parts", key) for key in store.parts() if key != guilty)


def test_a_sound_world_passes_every_check(ingested: Path) -> None:
    found = look(ingested, "tweet_parts")
    assert failed(found) == {}
    names = {key.name for one in CHECKS for key in one.check_keys if key.asset_key.to_user_string() == "tweet_parts"}
    assert names <= found.keys()
    assert found["few_lines_are_rejected"].metadata["of"].value == 3050


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_same_content_under_two_names(ingested: Path, suffix: str) -> None:
    content = raw(ingested, "part-00001").read_bytes()
    raw(ingested, f"part-00009{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(UserError, match=r"no_part_comes_twice.*part-00009: the same content as part-00001"):
        ingest(ingested)
    assert distrusted(ingested, "tweet_parts") == {"part-00009"}
    assert others_are_open(ingested, "part-00009")
    raw(ingested, f"part-00009{suffix}").unlink()
    assert failed(look(ingested, "tweet_parts")) == {}


def test_rows_twice_within_a_part(ingested: Path) -> None:
    lines = raw_lines(raw(ingested, "part-00001"))
    write_lines(raw(ingested, "part-00001"), lines + lines[:2])
    with pytest.raises(UserError, match=r"few_rows_come_twice.*part-00001: 2 of 1,019 rows come twice"):
        ingest(ingested)
    assert distrusted(ingested, "tweet_parts") == {"part-00001"}
    assert others_are_open(ingested, "part-00001")
    worlds.write_config(ingested.parent, checks={"max_duplicate_share": 0.01})
    assert "few_rows_come_twice" not in failed(look(ingested, "tweet_parts"))


def test_a_row_of_the_future_and_one_without_any_time(ingested: Path) -> None:
    lines = raw_lines(raw(ingested, "part-00002"))
    lines[7][LIKE] = str(IN_2030)
    for column in TIMES:
        lines[9][column] = ""
    write_lines(raw(ingested, "part-00002"), lines)
    worlds.write_config(ingested.parent, checks={"max_outside_share": 0.001})
    last = date.today().isoformat()
    with pytest.raises(UserError, match="days_are_in_the_window") as raised:
        ingest(ingested)
    assert f"part-00002: 2 of 1,017 rows lie outside 2006-03-21 to {last}" in str(raised.value)
    assert "2030-03-17 (1)" in str(raised.value)
    assert "no date (1)" in str(raised.value)
    assert distrusted(ingested, "tweet_parts") == {"part-00002"}
    assert others_are_open(ingested, "part-00002")


def test_rows_outside_the_window_are_used_up_to_the_share_of_rejected_lines(ingested: Path) -> None:
    lines = raw_lines(raw(ingested, "part-00002"))
    assert len(lines) == 1017
    for fields in lines[:11]:
        for column in TIMES[1:]:
            fields[column] = ""
    for fields in lines[:10]:
        fields[LIKE] = "-1"
    write_lines(raw(ingested, "part-00002"), lines)
    ingest(ingested)
    found = look(ingested, "tweet_parts")
    assert failed(found) == {}
    assert found["days_are_in_the_window"].metadata["rows lie outside"].value == 10
    lines[10][LIKE] = "-1"
    write_lines(raw(ingested, "part-00002"), lines)
    with pytest.raises(UserError, match=r"part-00002: .*11 of 1,017 rows lie outside 2006-03-21 to .*1969-12-31 \(1"):
        ingest(ingested)


def test_the_window_is_the_setting_s(ingested: Path) -> None:
    worlds.write_config(ingested.parent, checks={"first_day": "2021-02-05", "last_day": "2021-02-23"})
    found = failed(look(ingested, "tweet_parts"))
    assert found.keys() == {"days_are_in_the_window"}
    assert "2021-02-04" in found["days_are_in_the_window"]
    worlds.write_config(ingested.parent, checks={"last_day": "2021-02-23", "max_outside_share": 0.5})
    assert failed(look(ingested, "tweet_parts")) == {}


def test_a_share_of_rejected_lines_that_was_lowered_since(ingested: Path) -> None:
    lines = raw_lines(raw(ingested, "part-00000"))
    lines[3] = lines[3][:5]
    write_lines(raw(ingested, "part-00000"), lines)
    ingest(ingested)
    worlds.write_config(ingested.parent, ingest={"max_rejected_share": 0.0005})
    found = failed(look(ingested, "tweet_parts"))
    assert found == {
        "few_lines_are_rejected": "part-00000: 1 of 1,016 lines are rejected (ingest.max_rejected_share = 0.0005)",
        "no_rows_are_lost": "part-00000: 1 row fewer than the 1,016 of the version before",
    }
    assert distrusted(ingested, "tweet_parts") == {"part-00000"}


def test_parts_that_share_rows_are_told_of(ingested: Path) -> None:
    lines = raw_lines(raw(ingested, "part-00000"))
    random.Random(1).shuffle(lines)
    write_lines(raw(ingested, "part-00002"), raw_lines(raw(ingested, "part-00002")) + lines[:100])
    ingest(ingested)
    found = failed(look(ingested, "tweet_parts"))
    assert found == {
        "parts_share_few_rows": "part-00002: 100 of 1,117 sampled rows are in part-00000 or another part before it too"
    }
    assert distrusted(ingested, "tweet_parts") == set()


def test_a_part_without_viewers_is_told_of(ingested: Path) -> None:
    lines = raw_lines(raw(ingested, "part-00001"))
    few = raw_lines(raw(ingested, "part-00002"))
    for fields in lines:
        fields[VIEWER] = ""
    for fields in few[: len(few) // 2]:
        fields[TWEET] = ""
    write_lines(raw(ingested, "part-00001"), lines)
    write_lines(raw(ingested, "part-00002"), few)
    ingest(ingested)
    found = failed(look(ingested, "tweet_parts"))
    assert found["ids_are_there"] == "part-00001: engaging_user_id is missing in 1,017 of 1,017 rows"
    assert distrusted(ingested, "tweet_parts") == set()


def test_other_label_rates_are_told_of(ingested: Path) -> None:
    lines = raw_lines(raw(ingested, "part-00001"))
    for fields in lines:
        fields[LIKE] = ""
    write_lines(raw(ingested, "part-00001"), lines)
    ingest(ingested)
    found = failed(look(ingested, "tweet_parts"))
    assert found.keys() == {"label_rates_are_stable"}
    assert found["label_rates_are_stable"].startswith("part-00001: like 0.00%, other parts ")
    assert distrusted(ingested, "tweet_parts") == set()


def test_the_validation_part_is_held_to_the_same(ingested: Path) -> None:
    part = ingested.parent / "raw" / "validation" / "part-00000"
    lines = raw_lines(part)
    lines[0][LIKE] = str(IN_2030)
    write_lines(part, [*lines, lines[1]])
    worlds.write_config(ingested.parent, checks={"max_outside_share": 0.001})
    with pytest.raises(UserError, match="validation_tweets"):
        worlds.run(ingested, "validation_tweets")
    assert failed(look(ingested, "validation_tweets")).keys() == {"days_are_in_the_window", "few_rows_come_twice"}
    assert distrusted(ingested, "validation_tweets") == {None}
