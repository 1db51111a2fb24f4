"""Plain lines in columns: each value as the plain reader reads it, and every other line told, with its bytes."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.ingest.parsing.plain_rows import PlainReader
from engage_pipeline.schema import COLUMN_NAMES, COLUMNS, ENGAGEMENT_DAY, LABELS, LINE_NUMBER, Column, Kind
from engage_pipeline_tests.ingest.parsing.slow_reader import read_slowly
from engage_pipeline_tests.ingest.parsing.test_values import DIGITS, ODD, PIECES
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, GOOD_TEST, line_of
from engage_pipeline_tests.token_lists import with_token_list
from engage_pipeline_tests.worlds import REPOSITORY

PLAIN = {
    Kind.TOKENS: ["", "0", "101\t102", "119546", "0000007\t7", "00119546"],
    Kind.STRINGS: [
        "",
        "a",
        "a\tb",
        "\t",
        "a\t",
        "x" * 200,
        "\t".join(["x" * 200] * 3),
        "é€😀\té",
        "1234567\t12345678\t9",
    ],
    Kind.STRING: ["", "a", "x" * 200, "é€😀" * 22, *("12345678901234567"[:length] for length in range(1, 18))],
    Kind.INTEGER: [
        "",
        "0",
        "-0",
        "7",
        "-7",
        "007",
        "1" * 18,
        "-" + "9" * 18,
        *("12345678901234567"[:n] for n in range(1, 18)),
    ],
    Kind.BOOLEAN: ["", "true", "false"],
}
"""Texts that are read by the loops, since they may be in every line."""
TEXTS = st.lists(st.sampled_from(["a", "é", "12345678", "x" * 193, "\t", "\x02", "😀"]), max_size=4).map("".join)
ANY = {
    Kind.TOKENS: st.lists(st.sampled_from(PIECES) | st.integers(0, 119_546).map(str), max_size=6).map("\t".join),
    Kind.STRINGS: TEXTS,
    Kind.STRING: TEXTS,
    Kind.INTEGER: DIGITS | st.sampled_from(ODD) | st.just(""),
    Kind.BOOLEAN: st.sampled_from(["", "true", "false", "True", "truefalse", "falsey", "tr", "f", "1"]),
}


def check(lines: list[bytes], *, labelled: bool = True) -> list[int]:
    """Holds what is read of the lines against the plain reader; returns the places of those that are not plain."""
    content = b"".join(line + b"\n" for line in lines)
    found = PlainReader(labelled=labelled).read(content, len(lines))
    slow = {row[LINE_NUMBER]: row for row in read_slowly(content, labelled=labelled).rows}
    for place, row in zip(found.places.tolist(), found.rows.to_pylist(), strict=True):
        assert with_token_list({LINE_NUMBER: place, **row}) == slow[place]
    by_day = PlainReader(labelled=labelled, by_day=True).read(content, len(lines))
    days = dict(zip(found.places.tolist(), found.rows[ENGAGEMENT_DAY].to_pylist(), strict=True))
    assert by_day.places.tolist() == sorted(days, key=lambda place: (days[place], place))
    assert by_day.rows.take(pa.array(np.argsort(by_day.places))).equals(found.rows)
    assert (by_day.odd.tolist(), by_day.blank) == (found.odd.tolist(), found.blank)
    odd = found.odd[:, 0].tolist()
    assert [content[start:end] for _, start, end in found.odd.tolist()] == [lines[place] for place in odd]
    assert odd == sorted(odd)
    assert found.blank == lines.count(b"")
    assert sorted([*found.places.tolist(), *odd]) == [place for place, line in enumerate(lines) if line]
    return odd


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_plain_texts_are_read_by_the_loops(column: Column) -> None:
    texts = PLAIN[column.kind]
    if column.name.endswith("_timestamp"):
        texts = [text for text in texts if len(text) <= 13]  # later days have more than 32 bits
    assert check([GOOD, *(line_of(**{column.name: text.encode()}) for text in texts), GOOD]) == []


@given(data=st.data())
def test_whatever_a_line_holds_it_is_read_rightly_or_told(data: st.DataObject) -> None:
    names = st.sampled_from(COLUMN_NAMES)
    kinds = {column.name: column.kind for column in COLUMNS}
    lines = [GOOD, b""]
    for _ in range(data.draw(st.integers(1, 5))):
        changed = data.draw(st.lists(names, max_size=3))
        lines.append(line_of(**{name: data.draw(ANY[kinds[name]]).encode() for name in changed}))
    check(lines)


@pytest.mark.parametrize(
    "line",
    [
        GOOD_TEST,
        GOOD + b"\x01",
        GOOD + b"\x01" * 4,
        b"\x01" * 24,
        b"\0" + GOOD,
        GOOD.replace(b"author", b"auth\ror"),
        line_of(tweet_id=b"a\tb"),
        line_of(engaged_with_user_id=b"x" * 201),
        line_of(hashtags=b"x" * 201 + b"\ty"),
        line_of(like_timestamp=b"%d" % (86_400 * 2**31)),
        line_of(engaged_with_user_is_verified=b"true\x02"),
        line_of(language=b"x" * 2_000_000),
        line_of(hashtags=b"\t".join([b"x" * 199] * 10_000)),
        line_of(engaging_user_follower_count=b"-"),
        line_of(engaging_user_follower_count=b"1" * 19),
        line_of(text_tokens=b"101\t"),
        line_of(text_tokens=b"101\t\t102"),
        line_of(text_tokens=b"101\x02102"),
        line_of(text_tokens=b"000000012"),
        line_of(text_tokens=b"1?"),
        line_of(engaging_user_follower_count=b"1:"),
        line_of(text_tokens=b"-1"),
        line_of(text_tokens=b"119547"),
        b"x" * 3_000_000,
    ],
)
def test_a_line_that_is_not_plain_is_told_and_no_other(line: bytes) -> None:
    assert check([GOOD, line, GOOD]) == [1]


def test_empty_labels_of_a_test_line_are_no_part_of_it() -> None:
    lines = [GOOD_TEST, GOOD_TEST + b"\x01\x01\x01\x01", GOOD_TEST]
    assert check(lines, labelled=False) == []
    spoiled = GOOD_TEST.replace(b"author", b"a\tb") + b"\x01" * 4
    bad = [spoiled, GOOD_TEST + b"\x01" * 3, GOOD_TEST + b"\x01" * 5, GOOD_TEST + b"\x01\x015\x01\x01"]
    content = b"".join(line + b"\n" for line in [*bad, GOOD_TEST])
    found = PlainReader(labelled=False).read(content, 5)
    assert [(place, content[start:end]) for place, start, end in found.odd.tolist()] == list(enumerate(bad))
    assert found.places.tolist() == [4]


def test_other_characters_are_told_only_where_a_line_is_no_utf8() -> None:
    changed = [{"tweet_id": "é"}, {"hashtags": "a\té"}, {"engaging_user_id": "é"}, {"tweet_type": "é"}]
    lines = [GOOD, *(line_of(**{name: text.encode() for name, text in one.items()}) for one in changed)]
    assert check(lines) == []
    found = PlainReader(labelled=True).read(b"".join(line + b"\n" for line in [*lines, b"\xff" + GOOD]), 6)
    assert found.odd[:, 0].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("labelled", [True, False])
def test_rows_of_any_days_are_ordered_by_day_then_line(labelled: bool) -> None:
    rng = random.Random(1)
    days = [-70_000, -1, 0, 18_661, 18_662, 90_000]
    bad = {"engaging_user_follower_count": "x"}
    lines = [b""]
    for place in range(3000):
        times = {name: str(86_400 * rng.choice(days) + rng.randrange(86_400)) for name in ("tweet_timestamp", *LABELS)}
        kept = {name: time for name, time in times.items() if rng.random() < 0.5}
        values = dict.fromkeys(times, "") | kept | (bad if place % 500 == 0 else {})
        line = line_of(**{name: value.encode() for name, value in values.items()})
        lines.append(line if labelled else b"\x01".join(line.split(b"\x01")[: -len(LABELS)]))
    assert check(lines, labelled=labelled) == list(range(1, 3001, 500))


def test_every_token_id_is_read() -> None:
    ids = np.arange(119_547)
    lines = ["\t".join(map(str, some.tolist())).encode() for some in np.array_split(ids, 50)]
    assert check([line_of(text_tokens=line) for line in lines]) == []


def test_room_grows_with_the_lines() -> None:
    reader, rng = PlainReader(labelled=True), random.Random(1)
    kept = []
    for lines in (1, 5000, 3, 20_000, 20_000):
        ids = [b"%d" % rng.randrange(10**9) for _ in range(lines)]
        kept.append(
            (ids, reader.read(b"\n" * (lines % 7) + b"".join(line_of(tweet_id=one) + b"\n" for one in ids), lines + 7))
        )
    for ids, found in kept:
        assert found.rows["tweet_id"].to_pylist() == [one.decode() for one in ids]
        assert found.places.tolist() == list(range(found.blank, found.blank + len(ids)))
    assert len(reader.read(b"", 0).rows) == 0


BOUNDS = """
import random
from engage_pipeline.ingest.parsing.plain_rows import PlainReader
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, GOOD_TEST, line_of
rng = random.Random(1)
full = line_of(text_tokens=b"1\\t" * 300 + b"1"), line_of(hashtags=b"\\t" * 300), line_of(language=b"x" * 200)
pieces = [*full, GOOD, GOOD_TEST]
pieces += [b"\\n", b"\\x01", b"\\t", b"1", b"12345678", b"x" * 300, b"-", b"true", b"\\xff", b"\\0"]
parts = [b"".join(rng.choices(pieces, k=rng.randrange(1, 60))) for _ in range(400)]
for labelled in (True, False):
    for part in [*full, *parts]:
        lines = part + b"\\n"
        reader = PlainReader(labelled=labelled)
        reader._make_room(len(lines), lines.count(b"\\n"))
        reader.read(lines, lines.count(b"\\n"))
"""


def test_no_loop_goes_beyond_its_room(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", BOUNDS], env=environment, cwd=REPOSITORY, check=True)
