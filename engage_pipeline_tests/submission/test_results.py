"""results.csv against a slow reader of its format."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.submission import results
from engage_pipeline.submission.results import ResultsWriter, write_submission
from engage_pipeline.submission.scoring.results_file import read_predictions

NUMBER = re.compile(r"0\.\d{9}")


class HashedProbabilities:
    """A probability for each line and engagement that is easy to compute elsewhere."""

    def probabilities(self, table: pa.Table) -> np.ndarray:
        return np.array([expected(line) for line in table[schema.LINE_NUMBER].to_pylist()]).reshape(-1, 4)


def expected(line: int) -> list[float]:
    return [((line * 31 + target * 7) % 997 + 0.5) / 1000 for target in range(4)]


def write_features(folder: Path, name: str, lines: Sequence[int], *, group: int) -> Path:
    features = {
        schema.LINE_NUMBER: pa.array(lines, pa.int64()),
        "tweet_id": pa.array([f"{name}t{line}" for line in lines], pa.string()),
        "engaging_user_id": pa.array([f"u{line % 7}" for line in lines], pa.string()),
        **dict.fromkeys(schema.TOKEN_COLUMNS, pa.nulls(len(lines), pa.binary())),
    }
    path = folder / f"{name}.features.parquet"
    pq.write_table(pa.table(features), path, row_group_size=group)
    return path


def read_slowly(path: Path) -> list[tuple[str, str, dict[str, float]]]:
    text = path.read_bytes().decode("ascii")
    assert text.endswith("\n")
    assert "\r" not in text
    assert '"' not in text
    rows = []
    for line in text.removesuffix("\n").split("\n"):
        tweet, viewer, *numbers = line.split(",")
        assert len(numbers) == 4
        assert all(NUMBER.fullmatch(number) for number in numbers), line
        values = [float(number) for number in numbers]
        assert all(0 < value < 1 for value in values)
        rows.append(
            (tweet, viewer, dict(zip(("reply", "retweet", "retweet_with_comment", "like"), values, strict=True)))
        )
    return rows


def test_a_line_for_every_row_in_the_order_of_parts_and_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "BATCH_ROWS", 64)
    lines = {"b": [0, 2, 3, *range(10, 300)], "a": list(range(150))}
    files = [write_features(tmp_path, name, numbers, group=50) for name, numbers in lines.items()]
    facts = write_submission(HashedProbabilities(), files, tmp_path / "results.csv")
    rows = read_slowly(tmp_path / "results.csv")
    wanted = [(name, line) for name, numbers in lines.items() for line in numbers]
    assert [(tweet, viewer) for tweet, viewer, _ in rows] == [(f"{n}t{line}", f"u{line % 7}") for n, line in wanted]
    for (_, line), (_, _, found) in zip(wanted, rows, strict=True):
        like, retweet, quote, reply = expected(line)
        assert found == {"reply": reply, "retweet": retweet, "retweet_with_comment": quote, "like": like}
    assert facts["rows"] == len(wanted)
    mean = float(np.mean([expected(line)[0] for _, line in wanted]))
    assert facts["mean_probability"]["like"] == pytest.approx(mean)


def test_our_reader_agrees(tmp_path: Path) -> None:
    features = write_features(tmp_path, "p", range(500), group=90)
    write_submission(HashedProbabilities(), [features], tmp_path / "results.csv")
    read = read_predictions(tmp_path / "results.csv")
    assert np.allclose(read.probabilities, [expected(line) for line in range(500)], atol=1e-9)


@given(hnp.arrays(np.float64, (5, 4), elements=st.floats(1e-300, 1, exclude_max=True)))
def test_any_probability_is_written_inside_the_open_interval(
    tmp_path_factory: pytest.TempPathFactory, probabilities: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("results") / "results.csv"
    ids = pa.table({schema.LINE_NUMBER: range(5), "tweet_id": list("abcde"), "engaging_user_id": list("vwxyz")})
    with ResultsWriter(path) as writer:
        writer.write(ids, probabilities, "rows")
    found = [[row[target] for target in schema.TARGETS] for _, _, row in read_slowly(path)]
    assert np.allclose(found, probabilities, atol=1.001e-6, rtol=0)


def test_a_missing_id_leaves_its_field_empty(tmp_path: Path) -> None:
    ids = pa.table({schema.LINE_NUMBER: [0], "tweet_id": pa.array([None], pa.string()), "engaging_user_id": ["u"]})
    with ResultsWriter(tmp_path / "results.csv") as writer:
        writer.write(ids, np.full((1, 4), 0.25), "rows")
    assert read_slowly(tmp_path / "results.csv")[0][:2] == ("", "u")


def test_an_id_that_breaks_the_line_is_named(tmp_path: Path) -> None:
    ids = pa.table({schema.LINE_NUMBER: [7, 8], "tweet_id": ["a", "b,c"], "engaging_user_id": ["u", "u"]})
    with (
        ResultsWriter(tmp_path / "results.csv") as writer,
        pytest.raises(UserError, match=r"^part-00001, line 8 \(from 0\): tweet_id 'b,c'"),
    ):
        writer.write(ids, np.full((2, 4), 0.25), "part-00001")


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_no_probability_no_line(tmp_path: Path, value: float) -> None:
    ids = pa.table({schema.LINE_NUMBER: [7], "tweet_id": ["a"], "engaging_user_id": ["u"]})
    with ResultsWriter(tmp_path / "results.csv") as writer, pytest.raises(ValueError, match="outside"):
        writer.write(ids, np.array([[0.5, 0.5, value, 0.5]]), "rows")


def test_no_rows_make_an_empty_file(tmp_path: Path) -> None:
    features = write_features(tmp_path, "p", [], group=50)
    assert write_submission(HashedProbabilities(), [features], tmp_path / "results.csv")["rows"] == 0
    assert (tmp_path / "results.csv").read_bytes() == b""
