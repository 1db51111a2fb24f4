"""Lines of text parts: whole ones become rows, the others are blank, or rejected with their bytes."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parsing import lines as lines_module
from engage_pipeline.ingest.parsing.line_rules import NO_LABELS
from engage_pipeline.ingest.parsing.lines import BOM, PartLines, read_lines
from engage_pipeline.ingest.parsing.typed_rows import TypedRows
from engage_pipeline.ingest.rejects import Reject, RejectWriter, read_rejects
from engage_pipeline_tests.ingest.parsing.slow_reader import read_slowly
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, line_of
from engage_pipeline_tests.ingest.test_part_ingest import GOOD_TEST as TEST
from engage_pipeline_tests.token_lists import with_token_list

WIDE = line_of(tweet_id="é€😀".encode()) + b"\n"


@dataclass(frozen=True)
class Checked:
    """What is made of a part: its rows, the count of all lines and of blank ones, and the rejects."""

    rows: list[dict[str, Any]]
    lines: int
    blank: int
    rejects: list[Reject]

    @property
    def numbers(self) -> list[int]:
        return [row["line_number"] for row in self.rows]


def check(folder: Path, content: bytes, *, labelled: bool = True) -> Checked:
    part = folder / "part-00000"
    part.write_bytes(content)
    with RejectWriter(folder / "rejects", part.name) as rejects:
        lines = PartLines(part)
        typed = TypedRows(part, labelled=labelled, split=None, rejects=rejects)
        rows = [with_token_list(row) for batch in typed.read(lines.blocks()) for row in batch.to_pylist()]
    found = list(read_rejects(folder / "rejects"))
    slow = read_slowly(content, labelled=labelled)
    assert rows == slow.rows
    assert [(reject.line, reject.kind, reject.raw) for reject in found] == slow.rejects
    assert (lines.lines, typed.blank) == (slow.lines, slow.blank)
    return Checked(rows, lines.lines, typed.blank, found)


@pytest.mark.parametrize(
    ("content", "lines"), [(GOOD, 1), (GOOD + b"\n", 1), ((GOOD + b"\n") * 20_000, 20_000), (WIDE * 3 + GOOD, 4)]
)
def test_every_line_of_a_clean_part_is_taken(tmp_path: Path, content: bytes, lines: int) -> None:
    checked = check(tmp_path, content)
    assert (checked.numbers, checked.lines) == (list(range(lines)), lines)
    assert (checked.blank, checked.rejects) == (0, [])


def test_the_blocks_before_and_after_a_bad_line_are_taken_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", 1 << 20)
    start = b"".join(line_of(tweet_id=b"%d" % number) + b"\n" for number in range(25_000))  # 3.9 MB
    checked = check(tmp_path, start + b"short\n\n" + GOOD + b"\n")
    assert checked.numbers == [*range(25_000), 25_002]
    assert (checked.lines, checked.blank) == (25_003, 1)
    assert checked.rejects == [Reject(25_000, "columns: 1 instead of 24", b"short")]


@pytest.mark.parametrize(
    ("bad", "raw", "reason"),
    [
        (b"a\rb" + GOOD, b"a\rb" + GOOD, "carriage return: one without a line feed"),
        (GOOD + b"\r\r", GOOD + b"\r", "carriage return: one without a line feed"),
        (b"\0" + GOOD, b"\0" + GOOD, "NUL: a byte 0"),
        (b"\xff" + GOOD, b"\xff" + GOOD, "encoding: invalid UTF-8"),
        (b"\xed\xa0\x80" + GOOD, b"\xed\xa0\x80" + GOOD, "encoding: invalid UTF-8"),
        (b"x" * 3_000_000 + GOOD, b"x" * 3_000_000 + GOOD, "length: 3,000,157 bytes, more than 2,000,000"),
        (TEST, TEST, "columns: 20 instead of 24"),
        (GOOD + b"\x01", GOOD + b"\x01", "columns: 25 instead of 24"),
        (b" ", b" ", "columns: 1 instead of 24"),
    ],
)
def test_a_bad_line_is_rejected_with_its_bytes(tmp_path: Path, bad: bytes, raw: bytes, reason: str) -> None:
    checked = check(tmp_path, GOOD + b"\n" + bad + b"\n" + GOOD + b"\n")
    assert checked.rejects == [Reject(1, reason, raw)]
    assert checked.numbers == [0, 2]


@pytest.mark.parametrize("bad", [b"", b"short\n"])
def test_only_the_first_bytes_of_a_part_are_a_byte_order_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: bytes
) -> None:
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", len(GOOD) + 1 + len(BOM))
    marked = BOM + GOOD + b"\n"
    checked = check(tmp_path, marked + marked + bad + marked)
    assert [reject.raw for reject in checked.rejects] == [marked[:-1], *bad.splitlines(), marked[:-1]]
    assert {reject.kind for reject in checked.rejects} <= {"text_tokens", "columns"}


CUT = "line end: there is none, so that the last column may be cut off"


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (GOOD[:-1], CUT),  # the time of a like, which is as long as that of its tweet
        (GOOD[: GOOD.rindex(b"\x01")], "columns: 23 instead of 24"),
        (b"\xff" + GOOD[:-1], "encoding: invalid UTF-8"),
        (GOOD, None),
    ],
)
def test_a_last_line_that_may_be_cut_off_is_rejected_with_its_reason(
    tmp_path: Path, last: bytes, reason: str | None
) -> None:
    checked = check(tmp_path, GOOD[:-1] + b"\n" + GOOD + b"\n" + last)
    assert checked.rejects == ([Reject(2, reason, last)] if reason else [])
    assert checked.numbers == ([0, 1] if reason else [0, 1, 2])
    ended = check(tmp_path, GOOD + b"\nshort\n" + last + b"\n")
    others = [reject.reason for reject in ended.rejects if reject.line == 2]
    assert others == ([reason] if reason not in {CUT, None} else [])


def test_a_cut_off_end_says_nothing_of_other_lines_that_are_looked_at_singly(tmp_path: Path) -> None:
    """Lines that end in empty labels, which are cut off, are such lines."""
    content = TEST + b"\x01\x01\x01\x01\n" + TEST[: -len(b"true")]
    checked = check(tmp_path, content, labelled=False)
    assert (checked.numbers, checked.rejects) == ([0], [Reject(1, CUT, TEST[: -len(b"true")])])


def test_windows_line_ends_and_a_byte_order_mark_vanish(tmp_path: Path) -> None:
    checked = check(tmp_path, b"\xef\xbb\xbf" + (GOOD + b"\r\n") * 3 + b"\r\n" + GOOD + b"\r\n")
    assert (checked.numbers, checked.lines, checked.blank, checked.rejects) == ([0, 1, 2, 4], 5, 1, [])


def test_a_test_line_may_end_in_empty_labels_but_not_in_labels(tmp_path: Path) -> None:
    checked = check(tmp_path, TEST + b"\x01\x01\x01\x01\n" + TEST + b"\n", labelled=False)
    assert (checked.numbers, checked.rejects) == ([0, 1], [])
    with pytest.raises(UserError, match=r"part-00000: line 1 \(from 0\) has labels; a test part must have none"):
        check(tmp_path, TEST + b"\n" + TEST + b"\x01\x015\x01\x01\n", labelled=False)
    with pytest.raises(UserError, match=r"line 0 \(from 0\) has labels"):
        check(tmp_path, (GOOD + b"\n") * 10, labelled=False)


def test_a_part_of_another_kind_fails_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="20 columns, those of a labelled part 24; is it a test part"):
        check(tmp_path, (TEST + b"\n") * 10)
    with pytest.raises(UserError, match="19 columns, those of a test part 20"):
        check(tmp_path, (TEST.rpartition(b"\x01")[0] + b"\n") * 10, labelled=False)
    with pytest.raises(UserError, match="its lines have 1 column,"):
        check(tmp_path, b"a,b,c\n" * 10)


@pytest.mark.parametrize("block", [len(TEST) + 1, 1000])
def test_a_first_line_of_another_width_says_nothing_of_the_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(lines_module, "BLOCK_BYTES", block)
    checked = check(tmp_path, TEST + b"\n" + GOOD + b"\n")
    assert (checked.numbers, checked.rejects) == ([1], [Reject(0, "columns: 20 instead of 24", TEST)])


@pytest.mark.parametrize("author", [b"author", b"a\x02b"])
def test_every_line_of_a_test_part_may_end_in_empty_labels(tmp_path: Path, author: bytes) -> None:
    checked = check(tmp_path, (TEST.replace(b"author", author) + NO_LABELS + b"\n") * 3, labelled=False)
    assert (checked.numbers, checked.rejects) == ([0, 1, 2], [])


class Bar:
    """A progress bar that nobody sees."""

    def __init__(self) -> None:
        self.ended = False

    def advance(self, steps: int) -> None:
        assert not self.ended

    def close(self) -> None:
        self.ended = True


@pytest.mark.parametrize(
    "lines", [[TEST + b"\x01\x015\x01\x01"], [GOOD[:-2]] * 2000, [GOOD.rpartition(b"\x01")[0]] * 2000]
)
def test_progress_ends_before_an_error_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes]
) -> None:
    """The error is raised where lines are read, the bar is drawn where they come from."""
    bar = Bar()
    monkeypatch.setattr(lines_module, "progress", lambda *_: closing(bar))
    with pytest.raises(UserError) as told:
        check(tmp_path, b"".join(line + b"\n" for line in lines), labelled=False)
    assert bar.ended, told  # which holds what was at work when it was raised


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_part_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match="part-00000: the file is empty"):
        check(tmp_path, content)


def test_a_line_that_never_ends_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a line of more than 67,108,864 bytes"):
        check(tmp_path, GOOD + b"\n" + b"0" * (70 << 20))


PIECES = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b"", b"a", b"\0", b"\xff", "é".encode(), b"\xef\xbb\xbf", GOOD, GOOD + b"\n", NO_LABELS]
    ),
    min_size=1,
    max_size=30,
)


@given(pieces=PIECES, block=st.integers(1, 200))
def test_blocks_of_any_size_give_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], block: int
) -> None:
    content = GOOD + b"\n" + b"".join(pieces)
    folder = tmp_path_factory.mktemp("lines")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BLOCK_BYTES", block)
        checked = check(folder, content)
        raw = list(read_lines(folder / "part-00000", np.arange(checked.lines)))
    assert len(raw) == checked.lines
    assert all(raw[reject.line] == reject.raw for reject in checked.rejects)


def test_only_the_lines_asked_for_are_read(tmp_path: Path) -> None:
    (tmp_path / "part-00000").write_bytes(b"zero\none\r\n\ntwo\rthree")
    numbers = np.array([1, 2, 3])
    assert list(read_lines(tmp_path / "part-00000", numbers)) == [b"one", b"", b"two\rthree"]
    assert list(read_lines(tmp_path / "part-00000", numbers[:0])) == []


def test_the_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "part-00000").write_bytes(b"\xef\xbb\xbfzero\r\n\xef\xbb\xbfone")
    assert list(read_lines(tmp_path / "part-00000", np.array([0, 1]))) == [b"zero", b"\xef\xbb\xbfone"]
