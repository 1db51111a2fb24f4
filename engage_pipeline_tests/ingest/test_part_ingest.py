import gzip
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.ingest import day_order
from engage_pipeline.ingest.parsing.single_line import read_line
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.rejects import REJECT_SCHEMA
from engage_pipeline.ingest.report import IngestReport
from engage_pipeline.ingest.validation_split import validation_split
from engage_pipeline_tests.ingest.parsing.slow_reader import LabelsInTestPartError, SlowPart, read_slowly, truth_columns
from engage_pipeline_tests.programs import require_program
from engage_pipeline_tests.samples import GOLDEN, tiny_settings
from engage_pipeline_tests.token_lists import token_list, with_token_list

STRUCTURAL_KINDS = {"length", "carriage return", "NUL", "encoding", "columns"}
GOOD_FIELDS = (
    b"101\t2456\t102", b"AA\tBB", b"0123456789ABCDEF", b"Photo\tGIF", b"", b"DD", b"Retweet", b"en", b"1612396800",
    b"author", b"120", b"7", b"true", b"1400000000", b"viewer", b"0", b"1", b"false", b"1300000000", b"true",
    b"", b"1612396900", b"", b"1612483200",
)  # fmt: skip


def line_of(**values: bytes) -> bytes:
    """A good labelled line with some fields changed."""
    fields = dict(zip(schema.COLUMN_NAMES, GOOD_FIELDS, strict=True)) | values
    return b"\x01".join(fields.values())


GOOD = line_of()
GOOD_TEST = b"\x01".join(GOOD_FIELDS[:20])


def ingest(
    folder: Path, source: Path | bytes, *, labelled: bool = True, order: Any = "line", **values: Any
) -> tuple[IngestReport, pa.Table, pa.Table]:
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        (folder / "part-00000").write_bytes(source)
        source = folder / "part-00000"
    split, side_files = values.pop("split", None), values.pop("side_files", None)
    report = ingest_part(
        source,
        tweets=folder / "tweets.parquet",
        rejects=folder / "rejects.parquet",
        settings=tiny_settings(folder / "work", **values),
        labelled=labelled,
        order=order,
        split=split,
        side_files=side_files,
    )
    return report, pq.read_table(folder / "tweets.parquet"), pq.read_table(folder / "rejects.parquet")


def assert_equal(found: tuple[IngestReport, pa.Table, pa.Table], slow: SlowPart, *, labelled: bool) -> None:
    report, tweets, rejects = found
    assert tweets.schema.equals(schema.tweet_schema(labelled=labelled))
    assert list(map(with_token_list, tweets.to_pylist())) == slow.rows
    assert rejects.schema.equals(REJECT_SCHEMA)
    assert list(zip(*(rejects[name].to_pylist() for name in ("line_number", "raw")), strict=True)) == [
        (line, raw) for line, _, raw in slow.rejects
    ]
    assert [reason.partition(":")[0] for reason in rejects["reason"].to_pylist()] == [one[1] for one in slow.rejects]
    assert (report.lines, report.rows, report.blank) == (slow.lines, len(slow.rows), slow.blank)
    assert report.rows + report.rejected + report.blank == report.lines
    assert report.reasons == Counter(kind for _, kind, _ in slow.rejects)
    days = [row[schema.ENGAGEMENT_DAY] for row in slow.rows]
    assert report.days == (min(days), max(days))
    positives = (
        {e: sum(row[schema.engagement_timestamp(e)] is not None for row in slow.rows) for e in schema.ENGAGEMENTS}
        if labelled
        else {}
    )
    assert report.positives == positives


# --- golden parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "labelled"),
    [
        ("train/part-00000", True),
        ("train/part-00001", True),
        ("validation/part-00000", True),
        ("test/part-00000", False),
    ],
)
def test_golden_parts_are_read_as_the_slow_reader_reads_them(tmp_path: Path, part: str, labelled: bool) -> None:
    path = GOLDEN / f"{part}.gz"
    slow = read_slowly(gzip.decompress(path.read_bytes()), labelled=labelled)
    assert slow.rejects == []
    assert_equal(ingest(tmp_path, path, labelled=labelled), slow, labelled=labelled)


def test_golden_identities_and_days_are_the_references(tmp_path: Path) -> None:
    golden = pq.read_table(GOLDEN / "train.parquet").to_pylist()
    _, tweets, _ = ingest(tmp_path, GOLDEN / "train/part-00000.gz")
    rows = {row["line_number"]: row for row in tweets.to_pylist()}
    assert len(golden) == 3000
    for expected in golden:
        row = rows[expected["line_number"]]
        day, month, year = expected["day_file"].split("-")
        assert np.datetime64(row["engagement_day"], "D") == np.datetime64(f"20{year}-{month}-{day}")
        assert row["tweet_id"] == expected["tweet_id"]


def test_a_rejected_line_may_be_as_long_as_a_line_can_be(tmp_path: Path) -> None:
    """Longer than all memory that a query of rejects would have."""
    long = b"x" * 60_000_000
    report, tweets, rejects = ingest(
        tmp_path, GOOD + b"\n" + long + b"\n" + GOOD + b"\n", ingest={"max_rejected_share": 0.5}
    )
    assert (report.rows, tweets["line_number"].to_pylist()) == (2, [0, 2])
    assert rejects["raw"].to_pylist() == [long]


# --- one value at a time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "1.5",
        "0x10",
        "+5",
        "1e3",
        "1_000",
        " 5",
        "5 ",
        "--5",
        "-",
        "9223372036854775808",
        "-9223372036854775809",
        "٣",
        "NaN",
        "5\t6",
        "NULL",
        '"5"',
    ],
)
def test_what_is_no_integer_is_rejected_with_column_and_value(tmp_path: Path, text: str) -> None:
    bad = line_of(engaging_user_follower_count=text.encode())
    report, tweets, rejects = ingest(tmp_path, GOOD + b"\n" + bad + b"\n", ingest={"max_rejected_share": 0.5})
    assert tweets["line_number"].to_pylist() == [0]
    assert rejects.to_pylist() == [
        {
            "file": "part-00000",
            "line_number": 1,
            "reason": f"engaging_user_follower_count: {text!r} is no integer of 64 bits",
            "raw": bad,
        }
    ]
    assert (report.examples[0].line, report.examples[0].reason) == (1, rejects["reason"][0].as_py())
    assert report.examples[0].text == bad.decode()[:200]


@pytest.mark.parametrize("text", ["0", "-0", "007", "-12", "9223372036854775807", "-9223372036854775808"])
def test_integers_of_64_bits_are_read(tmp_path: Path, text: str) -> None:
    _, tweets, _ = ingest(tmp_path, line_of(engaging_user_follower_count=text.encode()))
    assert tweets["engaging_user_follower_count"].to_pylist() == [int(text)]


@pytest.mark.parametrize("text", ["True", "TRUE", "1", "t", "yes", "false ", "0"])
def test_only_true_and_false_are_booleans(tmp_path: Path, text: str) -> None:
    bad = line_of(engagee_follows_engager=text.encode())
    _, _, rejects = ingest(tmp_path, GOOD + b"\n" + bad, ingest={"max_rejected_share": 0.5})
    assert rejects["reason"].to_pylist() == [f"engagee_follows_engager: {text!r} is neither true nor false"]


@pytest.mark.parametrize(
    "text",
    [
        "101\t\t102",
        "101\t",
        "\t",
        "101 102",
        "101,102",
        "101\t1.5",
        "101\t119547",
        "-1",
        "101\t99999999999",
        "[101]",
        "101\tx",
    ],
)
def test_a_token_that_is_no_id_of_the_vocabulary_rejects_the_line(tmp_path: Path, text: str) -> None:
    bad = line_of(text_tokens=text.encode())
    _, _, rejects = ingest(tmp_path, GOOD + b"\n" + bad, ingest={"max_rejected_share": 0.5})
    assert rejects["reason"].to_pylist() == [f"text_tokens: {text!r} is no tab-separated token ids from 0 to 119546"]


def test_the_first_and_last_token_of_the_vocabulary_are_read(tmp_path: Path) -> None:
    _, tweets, _ = ingest(tmp_path, line_of(text_tokens=b"0\t119546"))
    assert token_list(tweets.to_pylist()[0]) == [0, schema.VOCABULARY_SIZE - 1]


def test_an_empty_column_is_missing(tmp_path: Path) -> None:
    _, tweets, _ = ingest(tmp_path, b"\x01" * 23 + b"\n")
    row = with_token_list(tweets.to_pylist()[0])
    lists = {column.name for column in schema.COLUMNS if column.kind in {schema.Kind.TOKENS, schema.Kind.STRINGS}}
    assert {name for name in schema.COLUMN_NAMES if row[name] == []} == lists
    assert {name for name in schema.COLUMN_NAMES if row[name] is None} == set(schema.COLUMN_NAMES) - lists
    assert (row["line_number"], row["engagement_day"]) == (0, 0)


@pytest.mark.parametrize(
    "text",
    [
        '"a',
        'a"b"',
        "'",
        "\\",
        "\\N",
        "\\x01",
        "a,b;c|d",
        "#a",
        " a ",
        "NULL",
        "null",
        "é€😀",
        "\u2028",
        "\x0b\x0c\x1c\x85",
        "\ufeff",
    ],
)
def test_text_is_taken_as_it_is(tmp_path: Path, text: str) -> None:
    line = line_of(tweet_id=text.encode(), hashtags=f"{text}\t\t{text}".encode(), text_tokens=b"")
    _, tweets, _ = ingest(tmp_path, line_of(language=text.encode()) + b"\n" + line)
    assert tweets["tweet_id"].to_pylist() == ["0123456789ABCDEF", text]
    assert tweets["hashtags"].to_pylist()[1] == [text, "", text]
    assert tweets["language"].to_pylist()[0] == text


@pytest.mark.parametrize(
    ("times", "day"),
    [
        ({"like_timestamp": b"86400", "retweet_timestamp": b"172799", "reply_timestamp": b""}, 1),
        ({"like_timestamp": b"", "retweet_timestamp": b"", "reply_timestamp": b"172800"}, 2),
        ({"like_timestamp": b"", "retweet_timestamp": b"", "tweet_timestamp": b"259200"}, 3),
        ({"like_timestamp": b"-1", "retweet_timestamp": b""}, -1),
        ({"like_timestamp": b"-86400", "retweet_timestamp": b"-86401"}, -1),
        ({"like_timestamp": b"", "retweet_timestamp": b"-86401"}, -2),
        ({"like_timestamp": b"185542587187199"}, 2**31 - 1),
    ],
)
def test_the_day_is_that_of_the_latest_engagement_else_of_the_tweet(
    tmp_path: Path, times: dict[str, bytes], day: int
) -> None:
    _, tweets, _ = ingest(tmp_path, line_of(**times) + b"\n")
    assert tweets["engagement_day"].to_pylist() == [day]


@pytest.mark.parametrize("seconds", [b"185542587187200", b"9223372036854775807"])
def test_a_day_beyond_32_bits_rejects_the_line(tmp_path: Path, seconds: bytes) -> None:
    content = GOOD + b"\n" + line_of(like_timestamp=seconds)
    _, _, rejects = ingest(tmp_path, content, ingest={"max_rejected_share": 0.5})
    assert rejects["reason"].to_pylist()[0].startswith("engagement_day: ")


def test_the_days_of_a_test_part_are_its_tweets(tmp_path: Path) -> None:
    report, tweets, _ = ingest(tmp_path, GOOD_TEST, labelled=False)
    assert tweets.schema.equals(schema.tweet_schema(labelled=False))
    assert tweets["engagement_day"].to_pylist() == [1612396800 // 86400]
    assert report.positives == {}


def test_the_first_and_last_day_of_32_bits_are_read_and_those_beyond_rejected(tmp_path: Path) -> None:
    first, last = -(2**31) * 86_400, 2**31 * 86_400 - 1
    seconds = [first - 1, first, last, last + 1]
    lines = [line_of(like_timestamp=b"", retweet_timestamp=b"", tweet_timestamp=b"%d" % second) for second in seconds]
    _, tweets, rejects = ingest(tmp_path, b"\n".join(lines) + b"\n", ingest={"max_rejected_share": 0.5})
    assert tweets["engagement_day"].to_pylist() == [-(2**31), 2**31 - 1]
    assert rejects["line_number"].to_pylist() == [0, 3]
    assert all(reason.startswith("engagement_day: ") for reason in rejects["reason"].to_pylist())


TEXT_COLUMNS = [column for column in schema.COLUMNS if column.kind in {schema.Kind.STRING, schema.Kind.STRINGS}]


@pytest.mark.parametrize("column", TEXT_COLUMNS, ids=lambda column: column.name)
def test_an_id_of_more_than_200_bytes_is_rejected_like_other_bad_values(tmp_path: Path, column: schema.Column) -> None:
    longest, longer, letters = b"x" * 200, b"x" * 201, ("é" * 101).encode()
    listed = column.kind is schema.Kind.STRINGS
    longer_than = "a list with a text longer than" if listed else "longer than"
    texts = [longest, longer, letters, *([longest + b"\t\t" + longest, b"a\t" + longer] if listed else [])]
    lines = [line_of(**{column.name: text}) for text in texts]
    good = [True, False, False, *([True, False] if listed else [])]
    report, tweets, rejects = ingest(tmp_path, b"\n".join(lines) + b"\n", ingest={"max_rejected_share": 0.8})
    assert tweets["line_number"].to_pylist() == np.flatnonzero(good).tolist()
    assert rejects["raw"].to_pylist() == [line for line, is_good in zip(lines, good, strict=True) if not is_good]
    assert set(report.reasons) == {column.name}
    assert rejects["reason"][0].as_py().endswith(f" is {longer_than} 200 bytes")
    for line, is_good in zip(lines, good, strict=True):
        if is_good:
            assert len(read_line(line)) == 20
        else:
            with pytest.raises(UserError, match=f"a row is rejected: {column.name}: .* is {longer_than} 200 bytes"):
                read_line(line)


def test_201_bytes_are_too_many_where_no_text_is_longer(tmp_path: Path) -> None:
    content = GOOD + b"\n" + line_of(tweet_id=b"x" * 201) + b"\n"
    report, _, _ = ingest(tmp_path, content, ingest={"max_rejected_share": 0.5})
    assert report.reasons == {"tweet_id": 1}


# --- random parts ---------------------------------------------------------------------------------------------------

ODD = [b"", b"1.5", b"0x10", b"+5", b"1e3", b"1_000", b"99999999999999999999", b"-7", b"true", b"101\t102", b"\xff",
       b"\0", b"\r", b'"', b"\\", b"a,b", b"i" * 200, b"i" * 201, b"a\t" + b"i" * 201,
       "é😀".encode(), b"119546", b"119547", b"9223372036854775807"]  # fmt: skip


@st.composite
def random_lines(draw: st.DrawFn, *, width: int) -> bytes:
    """Mostly good lines; some with odd values, or of another width, or no interactions at all."""
    kind = draw(st.sampled_from(["good", "good", "good", "odd", "odd", "width", "blank", "raw"]))
    fields = list(GOOD_FIELDS[:width])
    if kind == "odd":
        for index in draw(st.sets(st.integers(0, width - 1), max_size=3)):
            fields[index] = draw(
                st.sampled_from(ODD) | st.text(max_size=5).map(lambda text: text.replace("\n", "").encode())
            )
    if kind == "width":
        fields = [*fields, b"", b"", b"", b"", b""][: draw(st.integers(1, width + 5))]
    if kind == "blank":
        return b""
    if kind == "raw":
        return draw(st.binary(max_size=20).filter(lambda data: b"\n" not in data))
    return b"\x01".join(fields)


@st.composite
def random_part(draw: st.DrawFn, *, width: int) -> bytes:
    lines = draw(st.lists(random_lines(width=width), max_size=25))
    ends = [draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"])) for _ in lines]
    body = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    last = draw(st.sampled_from([b"", b"\x01".join(GOOD_FIELDS[:width]), b"\r", b"x"]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + body + last


@pytest.mark.long
@pytest.mark.parametrize("labelled", [True, False])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_parts_are_read_as_the_slow_reader_reads_them(
    tmp_path: Path, labelled: bool, data: st.DataObject
) -> None:
    content = data.draw(random_part(width=24 if labelled else 20))
    read = partial(ingest, tmp_path, content, labelled=labelled, ingest={"max_rejected_share": 1})
    try:
        slow = read_slowly(content, labelled=labelled)
    except LabelsInTestPartError:
        with pytest.raises(UserError, match="has labels"):
            read()
        return
    if slow.rows and not truth_columns(slow.rows):
        assert_equal(read(), slow, labelled=labelled)
    else:
        with pytest.raises(UserError, match=r"is empty|lines have|is an interaction|is .*, not text|are 0 or 1"):
            read()


# --- numbering, order, determinism ----------------------------------------------------------------------------------


def large_part(lines: int) -> tuple[bytes, np.ndarray]:
    """Lines of some 560 bytes in several of DuckDB's read buffers, and which are good.

    The author's follower count is the line's number; tweet ids and days are in random order; some lines are blank,
    broken or hold a bad value, some are next to each other.
    """
    rng = np.random.default_rng(5)
    kind = rng.choice(4, lines, p=[0.997, 0.001, 0.001, 0.001])
    kind[5000:5010] = [1, 1, 2, 3, 1, 2, 2, 3, 3, 1]
    tweets = rng.permutation(lines) // 3
    template = line_of(
        hashtags=b"\t".join([b"x" * 99] * 4),
        tweet_id=b"<tweet>",
        engaged_with_user_follower_count=b"<line>",
        like_timestamp=b"",
    )
    before, rest = template.split(b"<tweet>")
    between, after = rest.split(b"<line>")
    bad = {1: b"", 2: b"broken\xff", 3: line_of(reply_timestamp=b"1.5")}
    times = 1_612_483_200 + 86_400 * (np.arange(lines) * 7_919 % 11)
    content = b"\n".join(
        bad.get(int(kind[i])) if kind[i] else b"%b%032d%b%d%b%d" % (before, tweets[i], between, i, after, times[i])
        for i in range(lines)
    )
    return content, kind == 0


@pytest.mark.long
def test_every_row_keeps_its_line_number_where_duckdb_reads_in_parallel(tmp_path: Path) -> None:
    content, good = large_part(130_000)
    assert len(content) > 60_000_000
    split = partial(validation_split, seed=1, holdout_share=0.1, chunks=10)
    places = split(len(good))
    report, tweets, rejects = ingest(tmp_path, content, order="line", split=split)
    lines = tweets["line_number"].to_numpy()
    assert np.array_equal(lines, np.flatnonzero(good))
    assert np.array_equal(tweets["engaged_with_user_follower_count"].to_numpy(), lines)
    assert np.array_equal(tweets[schema.SPLIT].to_numpy(), places[lines])
    assert report.rows + report.rejected + report.blank == report.lines == len(good)
    number = rejects["line_number"].to_numpy()
    assert (np.diff(number) > 0).all()
    every = content.split(b"\n")
    assert rejects["raw"].to_pylist() == [every[line] for line in number]

    first = (tmp_path / "tweets.parquet").read_bytes()
    ingest(tmp_path, tmp_path / "part-00000", split=split)
    assert (tmp_path / "tweets.parquet").read_bytes() == first

    _, tweets, _ = ingest(tmp_path, tmp_path / "part-00000", order="day")
    assert tweets["engaged_with_user_follower_count"].equals(tweets["line_number"])
    keys = list(zip(tweets["engagement_day"].to_pylist(), tweets["line_number"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert len({day for day, _ in keys}) > 5
    assert sorted(tweets["line_number"].to_pylist()) == np.flatnonzero(good).tolist()
    first = (tmp_path / "tweets.parquet").read_bytes()
    ingest(tmp_path, tmp_path / "part-00000", order="day", engine={"threads": 1, "memory_limit": "300MB"})
    assert (tmp_path / "tweets.parquet").read_bytes() == first


def test_a_clean_part_in_several_buffers_is_numbered_too(tmp_path: Path) -> None:
    lines = [
        line_of(engaged_with_user_follower_count=b"%d" % i, text_tokens=b"\t".join([b"11111"] * 200))
        for i in range(30_000)
    ]
    _, tweets, rejects = ingest(tmp_path, b"\n".join(lines))
    assert np.array_equal(tweets["line_number"].to_numpy(), np.arange(30_000))
    assert tweets["engaged_with_user_follower_count"].equals(tweets["line_number"])
    assert len(rejects) == 0


def test_split_is_the_last_column_and_counts_blank_and_rejected_lines(tmp_path: Path) -> None:
    content = b"\n".join([GOOD, b"", GOOD, b"bad", GOOD])
    _, tweets, _ = ingest(
        tmp_path, content, split=lambda lines: np.arange(lines, dtype=np.int32) - 1, ingest={"max_rejected_share": 0.5}
    )
    wanted = schema.tweet_schema(labelled=True).append(pa.field(schema.SPLIT, pa.int32()))
    assert tweets.schema.equals(wanted)
    assert tweets[schema.SPLIT].to_pylist() == [-1, 1, 3]


def test_rows_come_by_day_then_by_line(tmp_path: Path) -> None:
    days = (3, 1, 0, 3, -1, 1)
    lines = [line_of(like_timestamp=b"", retweet_timestamp=b"", tweet_timestamp=b"%d" % (86_400 * day)) for day in days]
    _, tweets, _ = ingest(tmp_path, b"\n".join(lines) + b"\n", order="day")
    assert tweets["engagement_day"].to_pylist() == [-1, 0, 1, 1, 3, 3]
    assert tweets["line_number"].to_pylist() == [4, 2, 1, 5, 0, 3]
    _, tweets, _ = ingest(tmp_path, b"\n".join(lines) + b"\n", order="line")
    assert tweets["line_number"].to_pylist() == [0, 1, 2, 3, 4, 5]


# --- compression, long lines, limits --------------------------------------------------------------------------------


def test_lines_that_are_not_plain_stand_among_the_others_by_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of them have no like, where a last line without its end would be cut off; each day is a slice."""
    monkeypatch.setattr(day_order, "DAY_ROWS", 600)
    lines, expected = [], []
    for line in range(1300):
        day = 18_661 + line % 2
        count = b"9223372036854775807" if line % 3 == 0 else b"5"  # too many digits for the loops
        time = b"%d" % (86_400 * day)
        like = time if line % 2 else b""
        lines.append(
            line_of(
                engaged_with_user_follower_count=count, tweet_timestamp=time, retweet_timestamp=b"", like_timestamp=like
            )
        )
        expected.append((day, line))
    report, tweets, _ = ingest(tmp_path, b"\n".join([*lines, GOOD]) + b"\n", order="day")
    assert report.rejected == 0
    found = list(zip(tweets[schema.ENGAGEMENT_DAY].to_pylist(), tweets["line_number"].to_pylist(), strict=True))
    assert found == sorted([*expected, (1_612_483_200 // 86_400, 1300)])


@pytest.mark.parametrize("ending", [".gz", ".zst", ".lzo"])
def test_compressed_parts_give_the_same_bytes_as_plain_ones(tmp_path: Path, ending: str) -> None:
    tool = {".gz": "gzip", ".zst": "zstd", ".lzo": "lzop"}[ending]
    require_program(tool)
    content = b"".join(line_of(engaging_user_id=b"%d" % i) + b"\n" for i in range(2000)) + b"bad\n" + GOOD
    ingest(tmp_path, content, order="day")
    plain = (tmp_path / "tweets.parquet").read_bytes()
    archive = tmp_path / f"part-00000{ending}"
    archive.write_bytes(subprocess.run([tool, "-c"], input=content, capture_output=True, check=True).stdout)
    _, _, rejects = ingest(tmp_path, archive, order="day")
    assert (tmp_path / "tweets.parquet").read_bytes() == plain
    assert rejects.to_pylist() == [
        {"file": archive.name, "line_number": 2000, "reason": "columns: 1 instead of 24", "raw": b"bad"}
    ]


def test_a_cut_off_archive_leaves_nothing_behind(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(line_of(engaging_user_id=b"%d" % i) + b"\n" for i in range(20_000)))
    (tmp_path / "part-00000.gz").write_bytes(whole[:-2000])
    with pytest.raises(UserError, match=r"part-00000\.gz: damaged or truncated archive"):
        ingest(tmp_path, tmp_path / "part-00000.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["part-00000.gz"]


def test_the_longest_line_is_read_and_a_longer_one_rejected(tmp_path: Path) -> None:
    tags = (b"x" * 99 + b"\t") * 20_000
    long = line_of(hashtags=tags[: 2_000_000 - len(line_of(hashtags=b""))])
    assert len(long) == 2_000_000
    content = b"\n".join([GOOD, long, long[:-10] + b"0" * 11, b"y" * 3_000_000, long, GOOD])
    report, tweets, rejects = ingest(tmp_path, content, ingest={"max_rejected_share": 0.5})
    assert tweets["line_number"].to_pylist() == [0, 1, 4, 5]
    assert [len(raw) for raw in rejects["raw"].to_pylist()] == [2_000_001, 3_000_000]
    assert report.reasons == {"length": 2}
    assert [len(example.text) for example in report.examples] == [200, 200]


@pytest.mark.parametrize("bad", [b"broken", line_of(like_timestamp=b"1.5")])
def test_too_many_rejects_fail_the_part_with_the_first_example(tmp_path: Path, bad: bytes) -> None:
    lines = [GOOD] * 100
    lines[17] = lines[30] = bad
    ingest(tmp_path / "enough", b"\n".join(lines), ingest={"max_rejected_share": 0.02})
    with pytest.raises(
        UserError,
        match=r"part-00000: 2 of 100 lines .*\((columns|like_timestamp) 2\).* 0\.019; "
        r"the first is line 17 \(from 0\): (columns|like).*; then line 30 \(from 0\): (columns|like)",
    ):
        ingest(tmp_path / "few", b"\n".join(lines), ingest={"max_rejected_share": 0.019})


def test_a_part_without_a_single_interaction_fails(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none of its 2 lines is an interaction$"):
        ingest(tmp_path, b"\n\n")


def test_a_part_of_rejected_lines_alone_fails_with_the_reasons_and_the_first_examples(tmp_path: Path) -> None:
    bad = line_of(like_timestamp=b"soon")
    with pytest.raises(UserError) as raised:
        ingest(tmp_path, b"\n".join([b"bad", b"", bad, bad, b""]), ingest={"max_rejected_share": 1})
    why = "like_timestamp: 'soon' is no integer of 64 bits"
    assert str(raised.value) == (
        f"{tmp_path / 'part-00000'}: none of its 4 lines is an interaction: 3 can't be read (like_timestamp 2, "
        f"columns 1); the first is line 0 (from 0): columns: 1 instead of 24; then line 2 (from 0): {why}; "
        f"line 3 (from 0): {why}"
    )
    assert raised.value.details["reasons"] == {"columns": 1, "like_timestamp": 2}
    assert [example["line"] for example in raised.value.details["examples"]] == [0, 2, 3]


def test_a_test_part_with_labels_fails_and_one_with_empty_label_columns_does_not(tmp_path: Path) -> None:
    wide = GOOD_TEST + b"\x01\x01\x01\x01"
    bad = wide.replace(b"1400000000", b"1.4e9")
    report, tweets, rejects = ingest(
        tmp_path, b"\n".join([wide, GOOD_TEST, bad]), labelled=False, ingest={"max_rejected_share": 0.5}
    )
    assert (report.rows, tweets["line_number"].to_pylist()) == (2, [0, 1])
    assert rejects["raw"].to_pylist() == [bad]
    with pytest.raises(UserError, match=r"line 0 \(from 0\) has labels"):
        ingest(tmp_path, GOOD + b"\n", labelled=False)


def test_values_that_the_challenge_does_not_know_are_counted(tmp_path: Path) -> None:
    lines = [line_of(tweet_type=b"Poll"), line_of(tweet_type=b""), line_of(present_media=b"Photo\tHologram\tHologram")]
    report, _, _ = ingest(tmp_path, b"\n".join(lines))
    assert report.unknown_tweet_types == {"Poll": 1}
    assert report.unknown_media == {"Hologram": 2}
    assert report.positives == {"like": 3, "reply": 0, "retweet": 3, "retweet_with_comment": 0}


@pytest.mark.parametrize("name", ["it's [a] *? {b,c} $output_path; é", "it's {b,c} \\ $output_path; é"])
def test_odd_file_and_folder_names_are_only_names(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    report, _, _ = ingest(folder, GOOD + b"\n" + GOOD)
    assert report.rows == 2
    (folder / "part-00001").write_bytes(GOOD + b"\r\n")
    report, _, _ = ingest(folder, folder / "part-00001")
    assert (report.rows, duckdb.read_parquet(str(folder / "rejects.parquet")).fetchall()) == (1, [])


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    ingest(tmp_path, GOOD + b"\r\n" + GOOD + b"\r\n")
    assert {path.name for path in tmp_path.iterdir()} == {"part-00000", "tweets.parquet", "rejects.parquet"}
