import gzip
import logging
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deletions.lists import Deletions
from engage_pipeline.ingest.parsing import parquet_columns, parquet_rows
from engage_pipeline.ingest.parsing.parquet_columns import line_blocks
from engage_pipeline.ingest.parsing.parquet_rows import REQUIRED, ParquetRows
from engage_pipeline.ingest.parsing.part_rows import count_rows, row_line
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.reject_limit import MANY
from engage_pipeline.ingest.rejects import RejectWriter
from engage_pipeline.ingest.side_files import SideFiles
from engage_pipeline.schema import Kind
from engage_pipeline_tests.ingest.parsing.parquet_parts import TYPES, WORDS, typed, write, write_tokenizer
from engage_pipeline_tests.ingest.test_part_ingest import GOOD_FIELDS, ingest
from engage_pipeline_tests.samples import GOLDEN, tiny_settings
from engage_pipeline_tests.token_lists import token_list

ROW = typed(b"\x01".join(GOOD_FIELDS)).to_pylist()[0]
FULL = pa.schema([pa.field(column.name, TYPES[column.kind]) for column in schema.COLUMNS])


def part(folder: Path, *rows: dict[str, Any], columns: pa.Schema = FULL) -> Path:
    """A part of rows that differ from ROW in these values."""
    return write(pa.Table.from_pylist([ROW | row for row in rows], columns), folder / "part-00000.parquet")


def with_column(name: str, values: pa.Array) -> pa.Table:
    table = pa.Table.from_pylist([ROW] * len(values), FULL)
    return table.set_column(table.schema.get_field_index(name), name, values)


def values_of(folder: Path, name: str, values: pa.Array) -> list[Any]:
    _, tweets, rejects = ingest(folder, write(with_column(name, values), folder / "part-1.parquet"))
    assert not len(rejects), rejects["reason"]
    return tweets[name].to_pylist()


# --- the same rows as in the text format ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "labelled"), [("train/part-00000", True), ("test/part-00000", False)])
@pytest.mark.parametrize("rows", [1, 700, 100_000])
def test_a_golden_part_as_parquet_gives_the_same_bytes(tmp_path: Path, name: str, labelled: bool, rows: int) -> None:
    content = gzip.decompress((GOLDEN / f"{name}.gz").read_bytes())
    if rows == 1:
        content = b"".join(content.splitlines(keepends=True)[:50])
    (tmp_path / "part-00000").write_bytes(content)
    order = "day" if labelled else "line"
    text = ingest(tmp_path / "a", tmp_path / "part-00000", labelled=labelled, order=order)
    source = write(typed(content), tmp_path / "part-00000.parquet", rows)
    found = ingest(tmp_path / "b", source, labelled=labelled, order=order)
    assert (tmp_path / "b/tweets.parquet").read_bytes() == (tmp_path / "a/tweets.parquet").read_bytes()
    assert found[0] == text[0]
    assert count_rows(source) == count_rows(tmp_path / "part-00000")


def test_rows_that_no_line_can_hold_and_lines_that_cannot_be_read_are_rejected_in_order(tmp_path: Path) -> None:
    bad = {"text_tokens": [119_547]}, {"hashtags": ["a\tb"]}
    source = part(tmp_path, {}, bad[0], bad[1], {}, bad[1], bad[0])
    _, tweets, rejects = ingest(tmp_path, source, ingest={"max_rejected_share": 0.9})
    assert tweets["line_number"].to_pylist() == [0, 3]
    assert rejects["line_number"].to_pylist() == [1, 2, 4, 5]
    assert [reason.partition(":")[0] for reason in rejects["reason"].to_pylist()] == [
        "text_tokens",
        "hashtags",
        "hashtags",
        "text_tokens",
    ]


@pytest.mark.parametrize("most", [1, 25, 60, 10_000])
def test_rows_become_lines_some_bytes_at_a_time(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(parquet_columns, "BLOCK_BYTES", most)
    texts = [["a", "bcd", None, "e" * 50, None], [None, "1", "22", "4", None]]
    blocks = list(line_blocks([pa.array(column, pa.binary()) for column in texts], np.array([3, 4, 6, 7, 9])))
    assert b"".join(block.data for block in blocks) == b"a\x01\nbcd\x011\n\x0122\n" + b"e" * 50 + b"\x014\n\x01\n"
    assert [number for block in blocks for number in block.numbers.tolist()] == [3, 4, 6, 7, 9]
    assert [block.data.count(b"\n") for block in blocks] == [len(block.numbers) for block in blocks]
    assert (len(blocks) > 1) == (most < 60)


TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\n\x01\t"), max_size=4)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(1_612_000_000, 1_613_000_000)
ODD = st.sampled_from(["1.5", "0x10", "+5", "1_000", "TRUE", "x" * 201, "9" * 19, "-1", "007", "", " 1"])
FIELDS = {
    Kind.TOKENS: st.lists(st.integers(0, 119_546) | st.just(119_547), max_size=4),
    Kind.STRINGS: st.lists(TEXTS, max_size=3),
    Kind.STRING: TEXTS,
    Kind.INTEGER: st.none() | INTEGERS,
    Kind.BOOLEAN: st.none() | st.booleans(),
}


def field(column: schema.Column) -> st.SearchStrategy[Any]:
    """Values of a column; no label is 0 or 1, which all of a part must not be."""
    label = column.name in schema.COLUMN_NAMES[schema.N_TEST_COLUMNS :]
    return FIELDS[column.kind].filter(lambda value: value not in (0, 1)) if label else FIELDS[column.kind]


def text_of(value: object) -> str:
    if isinstance(value, list):
        return "\t".join(map(str, value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(*map(field, schema.COLUMNS)), min_size=1, max_size=6),
    odd=st.dictionaries(st.sampled_from(schema.COLUMN_NAMES), st.lists(ODD, min_size=6, max_size=6), max_size=3),
)
def test_any_rows_give_the_bytes_that_their_lines_give(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], odd: dict[str, list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("same")
    columns: dict[str, pa.Array] = {}
    texts = []
    for place, column in enumerate(schema.COLUMNS):
        values = odd[column.name][: len(rows)] if column.name in odd else [row[place] for row in rows]
        columns[column.name] = pa.array(values, pa.string() if column.name in odd else TYPES[column.kind])
        texts.append(list(map(text_of, values)))
    good = pa.Table.from_pylist([ROW], FULL)
    content = b"".join("\x01".join(line).encode() + b"\n" for line in zip(*texts, strict=True))
    found = []
    for name in ("text", "parquet"):
        # recognised by content: the names, which the rejects hold, are the same
        source = folder / name / "part-00000"
        source.parent.mkdir()
        if name == "text":
            source.write_bytes(content + b"\x01".join(GOOD_FIELDS) + b"\n")
        else:
            last = pa.table(
                {
                    one: good[one].cast(its.type)
                    if good[one].type == its.type
                    else pa.array([text_of(good[one][0].as_py())], its.type)
                    for one, its in columns.items()
                }
            )
            write(pa.concat_tables([pa.table(columns), last]), source, 2)
        report, _, _ = ingest(folder / name, source, ingest={"max_rejected_share": 0.99})
        files = [(folder / name / file).read_bytes() for file in ("tweets.parquet", "rejects.parquet")]
        found.append((report, files))
    assert found[0] == found[1]


# --- what a column may be -------------------------------------------------------------------------------------------

WHEN = datetime(2021, 2, 4, 1, 2, 3, 999_999, UTC)
SECONDS = 1_612_400_523


@pytest.mark.parametrize(
    ("name", "values", "wanted"),
    [
        ("like_timestamp", pa.array([SECONDS, None], pa.uint32()), [SECONDS, None]),
        ("like_timestamp", pa.array([float(SECONDS), None, float("nan")]), [SECONDS, None, None]),
        ("like_timestamp", pa.array([WHEN, None], pa.timestamp("us", "Europe/Berlin")), [SECONDS, None]),
        ("like_timestamp", pa.array([WHEN.replace(tzinfo=None)], pa.timestamp("ns")), [SECONDS]),
        ("like_timestamp", pa.array([-1], pa.timestamp("ms")), [-1]),
        ("like_timestamp", pa.array([date(1970, 1, 3)], pa.date32()), [172_800]),
        ("like_timestamp", pa.array([date(1970, 1, 3)], pa.date64()), [172_800]),
        ("like_timestamp", pa.array([str(SECONDS), "", None]), [SECONDS, None, None]),
        ("like_timestamp", pa.nulls(2), [None, None]),
        ("tweet_id", pa.array([7, -7, None]), ["7", "-7", None]),
        ("tweet_id", pa.array(["a", "", None], pa.large_string()), ["a", None, None]),
        ("tweet_id", pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        ("tweet_id", pa.array([b"a", None], pa.binary()), ["a", None]),
        ("tweet_id", pa.array(["a\tb"]), ["a\tb"]),
        ("engagee_follows_engager", pa.array([1, 0, None], pa.int8()), [True, False, None]),
        ("engagee_follows_engager", pa.array(["true", "false", ""]), [True, False, None]),
        ("hashtags", pa.array([["a", "b"], [], None], pa.large_list(pa.large_string())), [["a", "b"], [], []]),
        ("hashtags", pa.array([["a", "b"], ["a", "c"]], pa.list_(pa.string(), 2)), [["a", "b"], ["a", "c"]]),
        ("hashtags", pa.array([[1, 2], None], pa.list_(pa.int16())), [["1", "2"], []]),
        ("hashtags", pa.array(["a\tb", ""]), [["a", "b"], []]),
        ("hashtags", pa.array([None, []], pa.list_(pa.null())), [[], []]),
        ("present_media", pa.array([[], []], pa.large_list(pa.null())), [[], []]),
    ],
)  # fmt: skip
def test_a_column_may_have_any_type_that_says_the_same(
    tmp_path: Path, name: str, values: pa.Array, wanted: list[Any]
) -> None:
    assert values_of(tmp_path, name, values) == wanted


@pytest.mark.parametrize("item", [pa.int64(), pa.uint32()])
def test_token_ids_may_have_any_type_of_integer(tmp_path: Path, item: pa.DataType) -> None:
    lists = pa.array([[101, 119_546, 102], None, [101, 102]], pa.list_(item))
    _, tweets, _ = ingest(tmp_path, write(with_column("text_tokens", lists), tmp_path / "part-1.parquet"))
    assert [token_list(row) for row in tweets.to_pylist()] == [[101, 119_546, 102], [], [101, 102]]


def test_token_ids_may_all_be_empty_lists(tmp_path: Path) -> None:
    lists = pa.array([[], None], pa.list_(pa.null()))
    _, tweets, _ = ingest(tmp_path, write(with_column("text_tokens", lists), tmp_path / "part-1.parquet"))
    assert [token_list(row) for row in tweets.to_pylist()] == [[], []]


@pytest.mark.parametrize("name", ["hashtags", "text_tokens"])
def test_a_list_of_nothing_but_missing_items_is_rejected(tmp_path: Path, name: str) -> None:
    source = write(with_column(name, pa.array([[None], [], None, [None, None]])), tmp_path / "part-1.parquet")
    _, tweets, rejects = ingest(tmp_path, source, ingest={"max_rejected_share": 0.9})
    assert tweets["line_number"].to_pylist() == [1, 2]
    assert rejects["reason"].to_pylist() == [f"{name}: a list with a missing item"] * 2


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("like_timestamp", pa.array([1.0], pa.float32())),
        ("tweet_id", pa.array([1.0])),
        ("engagee_follows_engager", pa.array([1.0])),
        ("hashtags", pa.array([[1.0]])),
        ("text_tokens", pa.array([["101"]])),
        ("tweet_id", pa.array([{"a": 1}])),
    ],
)
def test_another_type_fails_the_part_in_one_line(tmp_path: Path, name: str, values: pa.Array) -> None:
    with pytest.raises(UserError, match=rf"part-1\.parquet: column {name} holds .*, which can't be read as"):
        values_of(tmp_path, name, values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array([True, None]), "column like_timestamp holds bool, where"),
        (pa.array([1, 0, 1]), "all values of like_timestamp are 0 or 1, where"),
        (pa.array([1, None]), "all values of like_timestamp are 0 or 1, where"),
        (pa.array([0.0, 1.0]), "all values of like_timestamp are 0 or 1, where"),
        (pa.array(["0", ""]), "all values of like_timestamp are 0 or 1, where"),
        (pa.array([1, 0, 2]), None),
        (pa.array([1, 0, -1]), None),
        (pa.nulls(2), None),
    ],
)
def test_labels_that_are_no_times_fail_the_part_in_one_line(tmp_path: Path, values: pa.Array, said: str | None) -> None:
    if said is None:
        assert len(values_of(tmp_path, "like_timestamp", values)) == len(values)
        return
    with pytest.raises(UserError, match=rf"part-1\.parquet: {said} a time is needed: that of the engagement, or where"):
        values_of(tmp_path, "like_timestamp", values)
    table = with_column("reply_timestamp", values)  # beside likes with a time
    with pytest.raises(UserError, match=said.replace("like", "reply")):
        ingest(tmp_path, write(table, tmp_path / "part-1.parquet"))
    bare = table.drop_columns([schema.engagement_timestamp(name) for name in schema.ENGAGEMENTS])
    _, tweets, _ = ingest(tmp_path, write(bare, tmp_path / "part-1.parquet"), labelled=False)
    assert len(tweets) == len(values)


# --- rejected rows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"tweet_id": "a\nb"}, "tweet_id: a text with a line break, a NUL or a byte 1"),
        ({"tweet_id": "a\x01b"}, "tweet_id: a text with a line break, a NUL or a byte 1"),
        ({"hashtags": ["a", "b\0"]}, "hashtags: a text with a line break, a NUL or a byte 1"),
        ({"hashtags": ["a", "b\tc"]}, "hashtags: a list with a text that has a tab"),
        ({"hashtags": ["a", None]}, "hashtags: a list with a missing item"),
        ({"hashtags": ["#" * 201]}, "hashtags: "),
        ({"text_tokens": [101, None]}, "text_tokens: a list with a missing item"),
        ({"text_tokens": [101, 119_547]}, "text_tokens: "),
        ({"text_tokens": [101] * 500_001}, "length: more than 2,000,000 bytes"),
        ({"like_timestamp": 2**63 - 1}, "engagement_day: "),
    ],
)
def test_a_bad_row_is_rejected_by_its_number(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    rows: list[dict[str, Any]] = [{"tweet_id": f"t{number}"} for number in range(1500)]
    rows[1403] |= row
    report, tweets, rejects = ingest(tmp_path, part(tmp_path, *rows))
    assert (report.lines, report.rows, report.rejected, report.blank) == (1500, 1499, 1, 0)
    found = rejects.to_pylist()[0]
    assert (found["file"], found["line_number"]) == ("part-00000.parquet", 1403)
    assert found["reason"].startswith(reason)
    assert found["raw"].count(b"\x01") in {23, 24}
    assert set(range(1500)) - set(tweets["line_number"].to_pylist()) == {1403}


def test_a_fraction_and_invalid_utf8_are_rejected_with_their_value(tmp_path: Path) -> None:
    source = write(with_column("like_timestamp", pa.array([1.5, 2.0**70, 3.0])), tmp_path / "part-1.parquet")
    _, tweets, rejects = ingest(tmp_path, source, ingest={"max_rejected_share": 0.9})
    assert rejects["reason"].to_pylist()[0] == "like_timestamp: '1.5' is no integer of 64 bits"
    assert tweets["line_number"].to_pylist() == [2]
    bad = pa.array([b"ok", b"\xff\xfe"], pa.binary()).view(pa.string())
    source = write(with_column("tweet_id", bad), tmp_path / "part-2.parquet")
    _, tweets, rejects = ingest(tmp_path, source, ingest={"max_rejected_share": 0.9})
    assert rejects["reason"].to_pylist() == ["tweet_id: invalid UTF-8"]
    assert b"\x01\xff\xfe\x01" in rejects["raw"][0].as_py()
    assert tweets["tweet_id"].to_pylist() == ["ok"]


def test_a_part_with_too_many_bad_rows_is_given_up_early(tmp_path: Path) -> None:
    table = pa.table({name: pa.repeat(pa.scalar(ROW[name], FULL.field(name).type), 4 * MANY) for name in FULL.names})
    table = table.set_column(2, "tweet_id", pa.array(["a\nb"] * (4 * MANY)))
    with pytest.raises(UserError, match=r"at least 10,000 of 40,000 lines can't be read \(tweet_id 10,000\)"):
        ingest(tmp_path, write(table, tmp_path / "part-00000.parquet"))


def test_deleted_rows_are_in_neither_file(tmp_path: Path) -> None:
    gone, kept = "AB" * 16, "CD" * 16
    rows = [
        {"tweet_id": gone},
        {"tweet_id": kept},
        {"engaging_user_id": gone, "hashtags": ["\t"]},
        {"hashtags": ["\t"]},
    ]
    report = ingest_part(
        part(tmp_path, *rows),
        tweets=tmp_path / "tweets.parquet",
        rejects=tmp_path / "rejects.parquet",
        settings=tiny_settings(tmp_path / "work", ingest={"max_rejected_share": 0.9}),
        labelled=True,
        order="line",
        deletions=Deletions(pa.array([gone]), pa.array([gone]), ("tweets",), "x"),
    )
    assert report.forgotten == 2
    assert pq.read_table(tmp_path / "tweets.parquet")["line_number"].to_pylist() == [1]
    assert pq.read_table(tmp_path / "rejects.parquet")["line_number"].to_pylist() == [3]


# --- the columns of a part ------------------------------------------------------------------------------------------


def test_missing_columns_are_missing_in_every_row(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    parquet_rows._told.clear()
    caplog.set_level(logging.INFO, "engage_pipeline")
    names = [*parquet_rows.REQUIRED, "like_timestamp"]
    columns = pa.schema([FULL.field(name) for name in reversed(names)]).append(pa.field("extra", pa.float32()))
    source = part(tmp_path, {}, {"like_timestamp": None}, columns=columns)
    ingest(tmp_path / "passing", source)
    assert not [message for message in caplog.messages if message.startswith("Parquet parts")]  # but what is to stay
    for name in "ab":
        _, tweets, _ = ingest(tmp_path / name, source, side_files=SideFiles.within(tmp_path / name))
    rows = tweets.to_pylist()
    assert [row["like_timestamp"] for row in rows] == [1_612_483_200, None]
    assert {name: rows[0][name] for name in names[:4]} == {name: ROW[name] for name in names[:4]}
    assert rows[0]["hashtags"] == [] == token_list(rows[0])
    assert rows[0]["engaging_user_follower_count"] is rows[0]["engaged_with_user_is_verified"] is None
    told = [message for message in caplog.messages if message.startswith("Parquet parts")]
    assert len(told) == 2  # once for both parts
    assert told[0].startswith("Parquet parts like part-00000.parquet: no columns text_tokens, hashtags, present_media,")
    assert told[1] == "Parquet parts like part-00000.parquet: columns that are not read: 'extra'"


def test_columns_that_must_be_there_are_asked_for(tmp_path: Path) -> None:
    columns = FULL.remove(FULL.get_field_index("tweet_id")).append(pa.field("tweetid", pa.string()))
    with pytest.raises(UserError, match=r"part-00000\.parquet: no column tweet_id; is it 'tweetid'\?"):
        ingest(tmp_path, part(tmp_path, {}, columns=columns))
    for name in REQUIRED:
        without = FULL.remove(FULL.get_field_index(name))
        with pytest.raises(UserError, match=rf"part-00000\.parquet: no column {name}$"):
            ingest(tmp_path, part(tmp_path, {}, columns=without))
    with pytest.raises(UserError, match=r"none of the columns like_timestamp, .*; is it a test part\?"):
        ingest(tmp_path, part(tmp_path, {}, columns=pa.schema(list(FULL)[:20])))
    with pytest.raises(UserError, match="column tweet_id occurs twice"):
        ingest(tmp_path, part(tmp_path, {}, columns=FULL.append(FULL.field("tweet_id"))))
    with pytest.raises(UserError, match="the file has no rows"):
        ingest(tmp_path, part(tmp_path))


def test_a_test_part_may_have_empty_labels_but_no_others(tmp_path: Path) -> None:
    bare = dict.fromkeys(schema.COLUMN_NAMES[20:])
    _, tweets, _ = ingest(tmp_path, part(tmp_path, bare), labelled=False)
    assert tweets.schema.equals(schema.tweet_schema(labelled=False))
    empty = pa.Table.from_pylist(
        [ROW | dict.fromkeys(bare, "")], pa.schema([*list(FULL)[:20], *((one, pa.string()) for one in bare)])
    )
    _, tweets, _ = ingest(tmp_path, write(empty, tmp_path / "part-00000.parquet"), labelled=False)
    assert len(tweets) == 1
    with pytest.raises(UserError, match=r"row 1 \(from 0\) has labels; a test part must have none"):
        ingest(tmp_path, part(tmp_path, bare, bare | {"reply_timestamp": 5}), labelled=False)


def test_content_decides_the_format(tmp_path: Path) -> None:
    part(tmp_path, {}).rename(tmp_path / "part-00000")
    assert ingest(tmp_path, tmp_path / "part-00000")[0].rows == 1
    (tmp_path / "part-1.parquet").write_bytes(b"\x01".join(GOOD_FIELDS))
    with pytest.raises(UserError, match=r"part-1\.parquet: not a Parquet file"):
        ingest(tmp_path, tmp_path / "part-1.parquet")
    (tmp_path / "part-2.parquet").touch()
    with pytest.raises(UserError, match=r"part-2\.parquet: the file is empty"):
        ingest(tmp_path, tmp_path / "part-2.parquet")
    with pytest.raises(UserError, match=r"part-3\.parquet: No such file"):
        count_rows(tmp_path / "part-3.parquet")


@pytest.mark.parametrize("cut", [5, 2000, -1])
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, cut: int) -> None:
    source = part(tmp_path, *({"tweet_id": f"t{number}"} for number in range(2000)))
    source.write_bytes(source.read_bytes()[:cut])
    with pytest.raises(UserError, match=r"part-00000\.parquet: damaged Parquet file: ") as raised:
        ingest(tmp_path, source)
    assert "\n" not in str(raised.value)


def test_a_damaged_page_is_told_in_one_line(tmp_path: Path) -> None:
    source = part(tmp_path, *({"tweet_id": f"t{number}"} for number in range(5000)))
    content = bytearray(source.read_bytes())
    content[4:400] = b"\xff" * 396
    source.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"part-00000\.parquet: damaged Parquet file: "):
        ingest(tmp_path, source)


# --- one row --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1000, 1 << 20])
def test_a_row_is_a_line_of_the_text_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(parquet_columns, "BLOCK_BYTES", block)
    rows: list[dict[str, Any]] = [{"tweet_id": f"t{number}"} for number in range(5000)]
    rows[4500]["hashtags"] = ["a\tb"]
    source, wanted = part(tmp_path, *rows), tiny_settings(tmp_path)
    for row in (0, 37, 4095, 4096, 4999):
        assert row_line(source, row, wanted) == b"\x01".join([*GOOD_FIELDS[:2], b"t%d" % row, *GOOD_FIELDS[3:]])
    assert row_line(source, 5000, wanted) is None
    with pytest.raises(UserError, match=r"row 4500 is rejected: hashtags: a list with a text that has a tab"):
        row_line(source, 4500, wanted)
    source = part(tmp_path, {}, columns=pa.schema(list(FULL)[:20]))
    assert row_line(source, 0, wanted) == b"\x01".join(GOOD_FIELDS[:20])


# --- text -----------------------------------------------------------------------------------------------------------


def texts(folder: Path, values: pa.Array) -> Path:
    table = pa.Table.from_pylist([ROW] * len(values), FULL)
    return write(table.drop_columns("text_tokens").append_column("text", values), folder / "part-00000.parquet")


def test_text_is_tokenized_by_the_encoders_tokenizer(tmp_path: Path) -> None:
    encoder = {"model": str(write_tokenizer(tmp_path / "encoder"))}
    values = pa.array(["hello worlds!", "", None, "été\nhello\x01\tunheard", "hello " * 300])
    _, tweets, rejects = ingest(tmp_path, texts(tmp_path, values), encoder=encoder)
    assert not len(rejects)
    hello, world, s, summer, mark = WORDS.values()
    found = [token_list(row) for row in tweets.to_pylist()]
    assert found[0] == [101, hello, world, s, mark, 102]
    assert found[1] == found[2] == []
    assert found[3][:3] == [101, summer, hello]
    assert found[4] == [101, *[hello] * 300, 102]  # the tokenizer's own limit and padding are left out
    bad = pa.array([b"hello", b"\xff"], pa.binary()).view(pa.string())
    _, tweets, rejects = ingest(tmp_path, texts(tmp_path, bad), encoder=encoder, ingest={"max_rejected_share": 0.9})
    assert rejects["reason"].to_pylist() == ["text_tokens: a text that is invalid UTF-8"]
    assert [token_list(row) for row in tweets.to_pylist()] == [[101, hello, 102]]


def test_a_vocabulary_serves_too(tmp_path: Path) -> None:
    write_tokenizer(tmp_path / "a")
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(tmp_path / "a/tokenizer.json")).get_vocab()
    (tmp_path / "b").mkdir()
    (tmp_path / "b/vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)), encoding="utf-8")
    _, tweets, _ = ingest(tmp_path, texts(tmp_path, pa.array(["été"])), encoder={"model": str(tmp_path / "b")})
    assert token_list(tweets.to_pylist()[0]) == [101, WORDS["été"], 102]


def test_text_without_a_fitting_tokenizer_is_told_in_one_line(tmp_path: Path) -> None:
    source = texts(tmp_path, pa.array(["hello"]))
    remedy = r"set encoder\.model to a folder with tokenizer\.json or vocab\.txt, or give text_tokens instead$"
    for model in ("tiny", "none"):
        words = rf"part-00000\.parquet: has text, but encoder\.model = {model} has no tokenizer; {remedy}"
        with pytest.raises(UserError, match=words):
            ingest(tmp_path, source, encoder={"model": model})
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=rf"has text, but there is no tokenizer\.json in .*empty; {remedy}"):
        ingest(tmp_path, source, encoder={"model": str(tmp_path / "empty")})
    small = write_tokenizer(tmp_path / "small", 3000)
    with pytest.raises(
        UserError, match=rf"is not that of multilingual BERT \(cased\): 3,000 tokens instead of 119,547; {remedy}"
    ):
        ingest(tmp_path, source, encoder={"model": str(small)})
    (small / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer\.json: can't be read as a tokenizer: "):
        ingest(tmp_path, source, encoder={"model": str(small)})


def test_token_ids_go_before_text(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([ROW], FULL).append_column("text", pa.array(["hello"]))
    _, tweets, _ = ingest(tmp_path, write(table, tmp_path / "part-00000.parquet"))
    assert token_list(tweets.to_pylist()[0]) == ROW["text_tokens"]


def test_memory_does_not_grow_with_the_rows_of_a_group(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    most = []
    for rows in (150_000, 450_000):  # dictionaries end at a megabyte
        names = (*REQUIRED, "like_timestamp")
        columns = {name: pa.repeat(pa.scalar(ROW[name], FULL.field(name).type), rows) for name in names}
        lists = np.arange(rows + 1, dtype=np.int32) * 10, rng.integers(0, 119_547, rows * 10).astype(np.int32)
        columns["text_tokens"] = pa.ListArray.from_arrays(*lists)
        columns["tweet_id"] = pa.array(rng.integers(0, 2**62, rows))
        source = write(pa.table(columns), tmp_path / f"part-{rows}.parquet", rows)
        del columns, lists
        held, before = [], pa.total_allocated_bytes()
        with RejectWriter(tmp_path / "rejects", source.name) as rejects:
            found = ParquetRows(source, labelled=True, rejects=rejects, settings=tiny_settings(tmp_path))
            for _ in found.blocks():
                held.append(pa.total_allocated_bytes() - before)
        most.append(max(held))
    assert most[1] < 1.2 * most[0], most
