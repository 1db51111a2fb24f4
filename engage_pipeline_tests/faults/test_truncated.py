"""A part that was cut off: its last row is rejected, or the rows that are gone are told of."""

import random
from pathlib import Path

import pytest

from engage_pipeline.schema import COLUMN_NAMES
from engage_pipeline_tests.faults.raw import ingest, manifest_of, part_of, rejects_of, rows_of
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, GOOD_TEST, line_of
from engage_pipeline_tests.ingest.test_part_ingest import ingest as ingest_bytes
from engage_pipeline_tests.orchestration.checks.looking import distrusted, failed, look

LINES = 600


@pytest.mark.long
def test_cut_inside_a_row(ingested: Path) -> None:
    part = part_of(ingested)
    before, rows = part.read_bytes(), rows_of(ingested)
    lines = before.split(b"\n")[:LINES]
    part.write_bytes(b"\n".join(lines)[: -len(lines[-1]) // 2])
    ingest(ingested)
    manifest = manifest_of(ingested)
    (reject,) = rejects_of(ingested)
    assert (reject["line_number"], reject["raw"]) == (LINES - 1, part.read_bytes().split(b"\n")[-1])
    assert rows_of(ingested) == rows[: LINES - 1]
    assert (manifest.facts["rows_before"], manifest.facts["rows_change"]) == (len(rows), LINES - 1 - len(rows))
    lost = f"part-00001: {len(rows) - LINES + 1} rows fewer than the {len(rows):,} of the version before"
    assert failed(look(ingested, "tweet_parts"))["no_rows_are_lost"] == lost


@pytest.mark.long
def test_cut_at_a_row_s_end(ingested: Path) -> None:
    part = part_of(ingested)
    rows = rows_of(ingested)
    part.write_bytes(b"\n".join([*part.read_bytes().split(b"\n")[:LINES], b""]))
    ingest(ingested)
    assert rejects_of(ingested) == []
    assert rows_of(ingested) == rows[:LINES]
    assert manifest_of(ingested).facts["rows_change"] == LINES - len(rows)
    assert "no_rows_are_lost" in failed(look(ingested, "tweet_parts"))
    assert distrusted(ingested, "tweet_parts") == set()


@pytest.mark.long
def test_a_part_that_grew_or_was_read_again_has_lost_nothing(ingested: Path) -> None:
    part = part_of(ingested)
    whole = part.read_bytes()
    part.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    ingest(ingested)
    assert manifest_of(ingested).facts["rows_change"] == -1
    part.write_bytes(whole)
    ingest(ingested)
    assert manifest_of(ingested).facts["rows_change"] == 1
    assert "no_rows_are_lost" not in failed(look(ingested, "tweet_parts"))


def test_no_cut_within_the_last_row_brings_in_a_changed_one(tmp_path: Path) -> None:
    whole = b"\n".join([GOOD] * 3) + b"\n"
    expected = ingest_bytes(tmp_path / "whole", whole)[1].to_pylist()
    for cut in [*range(1, 12), *random.Random(1).sample(range(12, len(GOOD)), 12)]:
        report, tweets, rejects = ingest_bytes(tmp_path / "cut", whole[:-cut], ingest={"max_rejected_share": 0.5})
        # without its line end alone the row is whole
        assert tweets.to_pylist() == expected[: 3 if cut == 1 else 2]
        assert report.rows + report.rejected == 3
        assert len(rejects) == (cut > 1)


@pytest.mark.parametrize(
    ("line", "labelled", "whole"),
    [
        (GOOD, True, True),
        (line_of(like_timestamp=b""), True, False),
        (line_of(like_timestamp=b"161248320"), True, False),
        (line_of(like_timestamp=b"", tweet_timestamp=b""), True, False),
        (line_of(like_timestamp=b"9", tweet_timestamp=b""), True, True),
        (GOOD_TEST, False, True),
        (GOOD_TEST.removesuffix(b"true"), False, False),
        (GOOD_TEST + b"\x01\x01\x01\x01", False, True),
        (GOOD_TEST + b"\x01\x01\x01", False, False),
    ],
)
def test_a_last_row_without_a_line_end_is_taken_only_if_it_must_be_whole(
    tmp_path: Path, line: bytes, labelled: bool, whole: bool
) -> None:
    good = GOOD if labelled else GOOD_TEST
    half = {"max_rejected_share": 0.5}
    _, tweets, rejects = ingest_bytes(tmp_path / "cut", good + b"\n" + line, labelled=labelled, ingest=half)
    assert tweets["line_number"].to_pylist() == [0, 1][: 1 + whole]
    assert rejects["raw"].to_pylist() == [] if whole else [line]
    if not whole and line.count(b"\x01") + 1 in {len(COLUMN_NAMES), 20}:
        reason = "line end: there is none, so that the last column may be cut off"
        assert rejects["reason"].to_pylist() == [reason]
        _, tweets, _ = ingest_bytes(tmp_path / "ended", good + b"\n" + line + b"\n", labelled=labelled)
        assert tweets["line_number"].to_pylist() == [0, 1]
