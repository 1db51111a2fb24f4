"""Any predictions file is scored, or refused in one line that names file, line and reason."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.spill import remove_spilled
from engage_pipeline.settings.settings import Settings
from engage_pipeline.submission.scoring.labels import read_labels
from engage_pipeline.submission.scoring.report import score_predictions
from engage_pipeline.submission.scoring.results_file import RESULT_COLUMNS, read_predictions
from engage_pipeline_tests.ingest.parsing.parquet_parts import typed, write
from engage_pipeline_tests.samples import tiny_settings

ROWS = 400
EDGES = (240, 588, 1331, 3996)
LINE = "t,u,0.5,0.5,0.5,0.5"


def world(folder: Path, *, repeated: bool = False) -> tuple[pa.Table, np.ndarray]:
    """labels.parquet and oracle.parquet in `folder`; the labels as a table, the true probabilities [n, 4]."""
    rng = np.random.default_rng(17)
    true = rng.beta(0.7, 1.5, (ROWS, 4))
    columns: dict[str, object] = {
        "tweet_id": [f"tweet{number // 3:05}" for number in range(ROWS)],
        "engaging_user_id": [f"user{0 if repeated else number:05}" for number in range(ROWS)],
        "engaged_with_user_follower_count": pa.array([None, *rng.integers(0, 6000, ROWS - 1).tolist()], pa.int64()),
    }
    columns |= dict(zip(schema.TARGETS, (rng.random((ROWS, 4)) < true).T, strict=True))
    identity = {schema.LINE_NUMBER: np.arange(ROWS), "part": ["part-00000"] * ROWS}
    table = pa.table({**columns, **identity})
    pq.write_table(table, folder / "labels.parquet")
    oracle = dict(zip(schema.TARGETS, true.T, strict=True))
    pq.write_table(pa.table({**identity, **oracle}), folder / "oracle.parquet")
    return table, true


def write_results(path: Path, table: pa.Table, probabilities: np.ndarray, order: Sequence[int] | None = None) -> Path:
    """results.csv (docs/specification.md, section 8): tweet, viewer, reply, retweet, retweet_with_comment, like."""
    tweets, users = table["tweet_id"].to_pylist(), table["engaging_user_id"].to_pylist()
    like, retweet, quote, reply = probabilities.T.tolist()
    lines = [
        f"{tweets[row]},{users[row]},{reply[row]!r},{retweet[row]!r},{quote[row]!r},{like[row]!r}"
        for row in (range(table.num_rows) if order is None else order)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def expected(table: pa.Table, probabilities: np.ndarray) -> metrics.Scores:
    labels = np.column_stack([table[name].to_numpy() for name in schema.TARGETS])
    followers = np.array([count or 0 for count in table["engaged_with_user_follower_count"].to_pylist()])
    ids = [viewer or "" for viewer in table["engaging_user_id"].to_pylist()]
    places = {viewer: place for place, viewer in enumerate(dict.fromkeys(ids))}
    scores = metrics.score(labels, probabilities, followers, edges=EDGES)
    return metrics.with_intervals(scores, labels, probabilities, np.array([places[viewer] for viewer in ids]))


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return tiny_settings(tmp_path / "data")


def test_the_columns_are_those_of_the_challenge() -> None:
    assert RESULT_COLUMNS == ("tweet_id", "engaging_user_id", "reply", "retweet", "retweet_with_comment", "like")


def test_only_the_chosen_rows_are_scored_whatever_the_order_of_the_lines(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    guess = np.clip(true + 0.1, 0.01, 0.99)
    results = write_results(tmp_path / "results.csv", table, guess, order=range(ROWS - 1, -1, -1))
    kept = np.arange(ROWS) % 3 == 0
    labels, oracle = tmp_path / "labels.parquet", tmp_path / "oracle.parquet"
    report = score_predictions(results, labels, oracle, chosen, lambda rows: kept[: len(rows.labels)])
    assert report.rows == kept.sum()
    assert report.scores == expected(table.filter(pa.array(kept)), guess[kept])
    assert report.oracle == expected(table.filter(pa.array(kept)), true[kept])


def test_the_oracle_scores_its_own_share(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true)
    report = score_predictions(results, tmp_path / "labels.parquet", tmp_path / "oracle.parquet", chosen)
    assert report.rows == ROWS
    assert report.scores == report.oracle == expected(table, true)
    assert report.share is not None
    assert report.share.overall_mean == 100.0


def test_the_constant_has_no_share(tmp_path: Path, chosen: Settings) -> None:
    table, _ = world(tmp_path)
    rates = [np.mean(table[name].to_numpy()) for name in schema.TARGETS]
    results = write_results(tmp_path / "results.csv", table, np.tile(rates, (ROWS, 1)))
    report = score_predictions(results, tmp_path / "labels.parquet", tmp_path / "oracle.parquet", chosen)
    assert report.share is not None
    assert report.share.overall_mean == 0.0
    text = report.to_text()
    assert "400 rows" in text
    assert "% of the oracle RCE" in text
    assert "± 95 %" in text
    assert max(map(len, text.splitlines())) <= 80
    assert report.to_json()["share"]["overall_mean"] == 0.0


@pytest.mark.parametrize("repeated", [False, True])
def test_lines_in_order_are_matched_in_order(tmp_path: Path, chosen: Settings, repeated: bool) -> None:
    """Repeated ids are no obstacle then."""
    table, true = world(tmp_path, repeated=repeated)
    results = write_results(tmp_path / "results.csv", table, true)
    assert score_predictions(results, tmp_path / "labels.parquet", None, chosen).scores == expected(table, true)


def test_shuffled_lines_are_matched_by_their_ids(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    order = np.random.default_rng(2).permutation(ROWS).tolist()
    results = write_results(tmp_path / "results.csv", table, true, order)
    assert score_predictions(results, tmp_path / "labels.parquet", None, chosen).scores == expected(table, true)


def test_shuffled_lines_with_repeated_ids_are_refused(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path, repeated=True)
    results = write_results(tmp_path / "results.csv", table, true, [*range(1, ROWS), 0])
    said = r"results\.csv, line 2: the same ids as on line 1, .* \(line 3 is the first different one\)$"
    refused(said, results, tmp_path / "labels.parquet", chosen)


def test_repeated_labels_are_refused_where_order_does_not_tell(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path, repeated=True)
    results = write_results(tmp_path / "results.csv", table, true, range(0, ROWS, 3))
    said = (
        r"results\.csv has 134 lines, .*labels\.parquet 400 rows: is it of another part\? \(rows 0 and 1 of the labels "
    )
    refused(said, results, tmp_path / "labels.parquet", chosen)
    results.write_text("".join(f"t{line},u,0.5,0.5,0.5,0.5\n" for line in range(ROWS)))
    said = r"labels\.parquet: rows 0 and 1 have the same ids.* \(line 1 is the first different one\)$"
    refused(said, results, tmp_path / "labels.parquet", chosen)


def test_other_rows_than_lines_are_the_first_thing_told(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true, [0, 1, 2, 1])
    said = (
        r"results\.csv has 4 lines, .*labels\.parquet 400 rows: is it of another part\? \(lines 2 and 4 have the same "
    )
    refused(said, results, tmp_path / "labels.parquet", chosen)


def test_a_test_part_has_no_labels(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true)
    pq.write_table(table.drop_columns(schema.TARGETS), tmp_path / "part-00000.parquet")
    said = r"part-00000\.parquet: none of the columns like, .*, reply_timestamp; is it a test part\?$"
    refused(said, results, tmp_path / "part-00000.parquet", chosen)


def test_a_missing_line_is_named(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true, [row for row in range(ROWS) if row != 7])
    said = (
        r"results\.csv: no line for tweet_id 'tweet00002', engaging_user_id 'user00007' \(row 7 of .*labels\.parquet\)"
    )
    refused(said, results, tmp_path / "labels.parquet", chosen)


def test_an_extra_line_is_named(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true)
    results.write_text("x,y,0,0,0,0\n" + results.read_text())
    refused(
        r"results\.csv, line 1: tweet_id 'x', engaging_user_id 'y' is not in",
        results,
        tmp_path / "labels.parquet",
        chosen,
    )


def refused(said: str, results: Path, labels: Path, chosen: Settings, oracle: Path | None = None) -> None:
    with pytest.raises(UserError, match=said) as caught:
        score_predictions(results, labels, oracle, chosen)
    assert "\n" not in str(caught.value)


BAD_LINES = {
    "t,u,0.5,0.5,0.5": "5 fields instead of 6",
    "t,u,0.5,0.5,0.5,0.5,": "7 fields instead of 6",
    "t,u,0.5,x,0.5,0.5": "retweet: 'x' is not a number",
    "t,u,,0.5,0.5,0.5": "reply: '' is not a number",
    "t,u,0.5,0.5,0.5,0x1p-3": "like: '0x1p-3' is not a number",
    "t,u,0.5,0.5,0.5,1_0": "like: '1_0' is not a number",
    "t,u,0.5,0.5,nan,0.5": "retweet_with_comment: nan is not a probability in [0, 1]",
    "t,u,0.5,inf,0.5,0.5": "retweet: inf is not a probability in [0, 1]",
    "t,u,0.5,0.5,0.5,1.01": "like: 1.01 is not a probability in [0, 1]",
    "t,u,-0.001,0.5,0.5,0.5": "reply: -0.001 is not a probability in [0, 1]",
    "t,u,0.5,0.5,0.5,1e999": "like: 1e999 is not a probability in [0, 1]",
    "": "empty line",
    "tweet_id,engaging_user_id,reply,retweet,retweet_with_comment,like": "reply: 'reply' is not a number",
    "t,u,'0.5',0.5,0.5,0.5": "reply: \"'0.5'\" is not a number",
    "t\udcff,u,0.5,0.5,0.5,0.5": "not UTF-8 text",
    '"t,x",u,0.5,0.5,0.5,0.5': "7 fields instead of 6",
    '"t","u",0.5,0.5,"0.5",0.5': "retweet_with_comment: '\"0.5\"' is not a number",
}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_bad_line_is_named_with_its_reason(tmp_path: Path, bad: str, ending: str) -> None:
    path = tmp_path / "results.csv"
    content = ending.join([LINE] * 300 + [bad, LINE, "also wrong"]) + ending
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError) as caught:
        read_predictions(path)
    assert str(caught.value) == f"{path}, line 301: {BAD_LINES[bad]}"


def test_quotes_are_letters(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text('"t",u",0.5,0.5,0.5,0.5\n')
    assert read_predictions(path).ids.to_pylist() == [{"tweet_id": '"t"', "engaging_user_id": 'u"'}]
    path.write_text('"t,x",u,0.5,0.5,0.5,0.5\n')
    with pytest.raises(UserError, match="line 1: 7 fields instead of 6"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": empty file"),
        (b"\xef\xbb\xbf", ": empty file"),
        (b"\n", ", line 1: empty line"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff", ", line 1: not UTF-8 text"),
        (b"\x00" * 100, ", line 1: 1 field instead of 6"),
        (b"x" * 3_000_000, ", line 1: longer than 1,048,576 characters"),
        (LINE.encode() + b"\n\n", ", line 2: empty line"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "results.csv.gz"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_predictions(path)
    assert str(caught.value) == f"{path}{said}"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path, chosen: Settings) -> None:
    world(tmp_path)
    refused("none.csv: No such file", tmp_path / "none.csv", tmp_path / "labels.parquet", chosen)
    refused("Is a directory", tmp_path, tmp_path / "labels.parquet", chosen)
    results = tmp_path / "results.csv"
    results.write_text(LINE)
    refused("none.parquet: No such file", results, tmp_path / "none.parquet", chosen)
    refused("no parts", results, tmp_path, chosen)


FIELDS = st.one_of(
    st.sampled_from(
        ["0.5", "1", "0", "1e-9", " 0.25 ", "+0.5", ".5", "1.", "nan", "-0", "1e400", "", "٣", "0.5\x00", "\ufeff"]
    ),
    st.text(max_size=4),
    st.floats().map(repr),
)
FUZZED = st.one_of(
    st.binary(max_size=200),
    st.lists(st.lists(FIELDS, min_size=4, max_size=8).map(",".join), max_size=5).map(
        lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")
    ),
    st.tuples(st.integers(0, 60), st.binary(max_size=3)).map(
        lambda change: (3 * f"{LINE}\n").encode()[: change[0]] + change[1] + (3 * f"{LINE}\n").encode()[change[0] :]
    ),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=FUZZED)
def test_any_bytes_are_read_or_refused_with_a_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(content)
    try:
        found = read_predictions(path)
    except UserError as error:
        message = str(error)
        assert "\n" not in message
        assert message.startswith((f"{path}, line ", f"{path}: empty file"))
        return
    lines = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    assert found.ids.num_rows == len(lines)
    for line, row in zip(lines, found.probabilities, strict=True):
        reply, retweet, quote, like = map(float, line.split(",")[2:])
        assert row.tolist() == [like, retweet, quote, reply]
        assert all(0 <= value <= 1 for value in row)


def with_column(folder: Path, name: str, values: object) -> Path:
    table = pq.read_table(folder / "labels.parquet")
    path = folder / "changed.parquet"
    if values is None:
        pq.write_table(table.drop_columns([name]), path)
    else:
        pq.write_table(table.set_column(table.column_names.index(name), name, pa.array(values)), path)
    return path


def test_labels_that_cannot_be_read_are_refused(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true)
    likes = table["like"].to_pylist()
    refused("changed.parquet: no column reply", results, with_column(tmp_path, "reply", None), chosen)
    refused(
        "row 3, like: missing is not a label",
        results,
        with_column(tmp_path, "like", [*likes[:3], None, *likes[4:]]),
        chosen,
    )
    refused("row 0, like: 2 is not a label", results, with_column(tmp_path, "like", [2] * ROWS), chosen)
    refused("column like holds string, not bool", results, with_column(tmp_path, "like", ["yes"] * ROWS), chosen)
    counts = "engaged_with_user_follower_count"
    refused(f"column {counts} holds string, not int64", results, with_column(tmp_path, counts, ["x"] * ROWS), chosen)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1" + b"\x07" * 500)
    refused("broken.parquet: damaged Parquet file", results, broken, chosen)
    broken.write_bytes(b"no Parquet at all")
    refused("broken.parquet: not a Parquet file", results, broken, chosen)
    pq.write_table(table.slice(0, 0), broken)
    refused("broken.parquet: no rows to score", results, broken, chosen)


def test_labels_of_zero_and_one_are_labels(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true)
    numbers = with_column(tmp_path, "like", [int(label) for label in table["like"].to_pylist()])
    assert score_predictions(results, numbers, None, chosen).scores == expected(table, true)


def test_an_oracle_of_other_rows_is_refused(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results, labels = write_results(tmp_path / "results.csv", table, true), tmp_path / "labels.parquet"
    oracle = pq.read_table(tmp_path / "oracle.parquet")
    other = tmp_path / "other.parquet"
    pq.write_table(oracle.slice(1), other)
    refused("other.parquet: 399 rows for the 400 of", results, labels, chosen, other)
    pq.write_table(oracle.take([1, 0, *range(2, ROWS)]), other)
    refused("other.parquet: row 0 has another line_number than row 0 of", results, labels, chosen, other)
    pq.write_table(oracle.set_column(1, "part", pa.array(["part-00000"] * (ROWS - 1) + [None])), other)
    refused("other.parquet: row 399 has another part", results, labels, chosen, other)
    place = oracle.column_names.index("reply")
    pq.write_table(oracle.set_column(place, "reply", pa.array([0.5] * 9 + [None] + [0.5] * (ROWS - 10))), other)
    refused("row 9, reply: nan is not a probability", results, labels, chosen, other)
    pq.write_table(oracle.drop_columns(["reply"]), other)
    refused("other.parquet: no column reply", results, labels, chosen, other)
    pq.write_table(oracle.drop_columns(["reply", "like"]), other)
    refused("other.parquet: no columns like, reply", results, labels, chosen, other)
    refused("results.csv: not a Parquet file", results, labels, chosen, results)


def test_probabilities_beside_labels_are_found_and_labels_alone_are_no_oracle(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results, labels = write_results(tmp_path / "results.csv", table, true), tmp_path / "labels.parquet"
    beside = tmp_path / "truth.parquet"
    named = {f"p_{name}": column for name, column in zip(schema.TARGETS, true.T, strict=True)}
    pq.write_table(pa.table({**{name: table[name] for name in schema.TARGETS}, **named}), beside)
    assert score_predictions(results, labels, beside, chosen).oracle == expected(table, true)
    refused("labels.parquet: column like holds bool: labels, not probabilities", results, labels, chosen, labels)


def raw_part(table: pa.Table) -> bytes:
    """A labelled part (docs/specification.md, section 1) with the ids, followers and labels of `table`."""
    lines = []
    for row in table.to_pylist():
        count = row["engaged_with_user_follower_count"]
        times = ["1612500000" if row[name] else "" for name in ("reply", "retweet", "retweet_with_comment", "like")]
        author = ["a" * 32, "" if count is None else str(count), "5", "false", "1500000000"]
        viewer = [row["engaging_user_id"], "7", "9", "true", "1400000000"]
        tweet = ["101\t117\t102", "", row["tweet_id"], "", "", "", "TopLevel", "l" * 32, "1612400000"]
        lines.append("\x01".join([*tweet, *author, *viewer, "false", *times]))
    return "\n".join(lines).encode() + b"\n"


def in_hex(table: pa.Table) -> pa.Table:
    """`table` with ids of 32 hex characters, as the challenge's are."""
    for name in ("tweet_id", "engaging_user_id"):
        values = [value.encode().hex().rjust(32, "0") for value in table[name].to_pylist()]
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


@pytest.mark.parametrize("order", [None, list(reversed(range(ROWS)))])
def test_a_raw_part_labels_as_its_timestamps_say(tmp_path: Path, chosen: Settings, order: list[int] | None) -> None:
    table, true = world(tmp_path)
    shuffled = np.random.default_rng(9).permutation(ROWS)
    table, true = in_hex(table.take(shuffled)), true[shuffled]
    oracle = pq.read_table(tmp_path / "oracle.parquet")
    columns = {
        name: oracle[name] if name in (schema.LINE_NUMBER, "part") else oracle[name].take(shuffled)
        for name in oracle.column_names
    }
    pq.write_table(pa.table(columns), tmp_path / "oracle.parquet")
    folder = tmp_path / "test"
    folder.mkdir()
    (folder / "part-00000").write_bytes(raw_part(table))
    results = write_results(tmp_path / "results.csv", table, true, order)
    wanted = expected(table, true)
    table_part = write(typed(raw_part(table)), tmp_path / "table" / "part-00000.parquet")
    for labels in (folder / "part-00000", folder, table_part):
        assert score_predictions(results, labels, tmp_path / "oracle.parquet", chosen).scores == wanted
    other_name = tmp_path / "my labels (1).tsv"
    other_name.write_bytes(raw_part(table))
    assert score_predictions(results, other_name, None, chosen).scores == wanted
    assert not list((tmp_path / "data").glob(".evaluate-*"))


def test_a_killed_evaluation_leaves_nothing_behind_that_forget_does_not_remove(
    tmp_path: Path, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: Path, *, tweets: Path, **__: object) -> None:
        assert (tweets.parent / ".lock").is_file()
        shutil.copytree(tweets.parent, tweets.parent.with_name(".evaluate-killed"))
        remove_spilled(chosen)
        raise RuntimeError

    table, _ = world(tmp_path)
    (tmp_path / "part-00000").write_bytes(raw_part(in_hex(table)))
    monkeypatch.setattr("engage_pipeline.submission.scoring.labels.ingest_part", killed)
    with pytest.raises(RuntimeError):
        read_labels(tmp_path / "part-00000", chosen)
    assert not list(chosen.working_dir.glob(".evaluate-*"))


def test_a_part_without_labels_is_refused(tmp_path: Path, chosen: Settings) -> None:
    table, true = world(tmp_path)
    results = write_results(tmp_path / "results.csv", table, true)
    part = tmp_path / "part-00000"
    lines = raw_part(table).decode().splitlines()
    part.write_text("\n".join("\x01".join(line.split("\x01")[:20]) for line in lines) + "\n")
    refused("part-00000: ", results, part, chosen)
    part.write_bytes(b"\x00\xff" * 300)
    refused("part-00000: ", results, part, chosen)
