"""What is kept and shown of rejected lines, by hand."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from engage_pipeline.ingest.facts import IngestedFacts
from engage_pipeline.ingest.parsing.line_rules import cut_off
from engage_pipeline.ingest.parsing.parquet_columns import bytes_of
from engage_pipeline.ingest.rejects import Reject, RejectTally, RejectWriter, read_rejects, shorten_ids
from engage_pipeline.ingest.report import change_of_rows
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, ingest, line_of
from engage_pipeline_tests.samples import bare_store, tiny_settings


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("tweet ABCDEF0123456789ABCDEF0123456789 by", "tweet ABCD… by"),
        ("tweet abcdef0123456789abcdef0123456789 by", "tweet abcd… by"),
        ("ABCDEF0123456789ABCDEF012345678", "ABCDEF0123456789ABCDEF012345678"),  # 31 digits are no id
    ],
)
def test_of_an_id_four_digits_are_shown(text: str, shown: str) -> None:
    assert shorten_ids(text) == shown


def test_five_examples_are_kept_of_all_that_are_counted() -> None:
    tally = RejectTally()
    for line in range(7):
        tally.add(Reject(line, "encoding: it is not UTF-8", b"raw"))
    assert [example.line for example in tally.examples] == [0, 1, 2, 3, 4]
    assert tally.count == 7


def test_long_lines_are_read_in_little_memory(tmp_path: Path) -> None:
    written = [Reject(line, "length: long", random.Random(line).randbytes(1 << 20)) for line in range(80)]
    with RejectWriter(tmp_path / "rejects.parquet", "part-00000") as writer:
        for reject in written:
            writer.append(reject)
    held, before = [], pa.total_allocated_bytes()
    for reject, expected in zip(read_rejects(tmp_path / "rejects.parquet"), written, strict=True):
        held.append(pa.total_allocated_bytes() - before)
        assert reject == expected
    assert max(held) < 40 << 20


def test_a_value_in_a_reason_is_cut_to_100_characters(tmp_path: Path) -> None:
    bad = line_of(engaging_user_follower_count=b"x" * 150)
    _, _, rejects = ingest(tmp_path, GOOD + b"\n" + bad + b"\n", ingest={"max_rejected_share": 0.5})
    assert rejects["reason"].to_pylist() == [f"engaging_user_follower_count: {'x' * 100!r} is no integer of 64 bits"]


def test_forgotten_rows_count_in_both_versions(tmp_path: Path) -> None:
    store = bare_store(tiny_settings(tmp_path))
    with store.publish("test_tweets") as draft:
        draft.rows, draft.facts = 10, {"forgotten": 5, "forgotten_rows": 2}
    before = store.manifest("test_tweets")
    assert change_of_rows(before, rows=9, forgotten_rows=3) == IngestedFacts(rows_before=10, rows_change=0)
    assert change_of_rows(None, rows=9, forgotten_rows=3) == IngestedFacts()


def test_a_last_line_with_more_columns_is_not_called_cut_off() -> None:
    assert cut_off(b"\x01" * 24, 24) is None
    assert cut_off(b"\x01" * 23, 24) is not None


def test_the_bytes_of_a_slice_begin_at_its_first_text() -> None:
    bounds, data = bytes_of(pa.array(["abc", "12", "3"]).slice(1))
    assert (bounds.tolist(), data.tobytes()) == ([0, 2, 3], b"123")
