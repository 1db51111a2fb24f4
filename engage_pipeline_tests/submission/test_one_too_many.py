"""What is one row too long as well as one too short, and values on the very edge."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.submission.results import ResultsWriter
from engage_pipeline.submission.scoring.report import score_predictions
from engage_pipeline.submission.scoring.results_file import read_predictions
from engage_pipeline_tests.samples import tiny_settings


def ids(rows: int) -> pa.Table:
    return pa.table(
        {
            schema.LINE_NUMBER: pa.array(range(rows), pa.int64()),
            "tweet_id": [f"t{row}" for row in range(rows)],
            "engaging_user_id": [f"u{row}" for row in range(rows)],
        }
    )


def test_the_extremes_are_those_of_all_batches(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "results.csv") as writer:
        for value in (0.4, 0.1, 0.6, 0.3):
            writer.write(ids(1), np.full((1, 4), value), "rows")
        facts = writer.facts()
    assert (facts["rows"], facts["lowest_probability"], facts["highest_probability"]) == (4, 0.1, 0.6)
    assert facts["mean_probability"] == pytest.approx(dict.fromkeys(schema.TARGETS, 0.35))


def test_zero_and_one_are_probabilities_and_no_line_but_the_wrong_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("a,u,0,1,0.0,1.0\nb,u,-0,+1,0e5,1e0\n", encoding="ascii")
    assert read_predictions(path).probabilities.tolist() == [[1, 1, 0, 0]] * 2
    for wrong in ("c,u,0,1,0,1.000001", "c,u,-0.000001,1,0,1", "c,u,0,1,0"):
        path.write_text(f"a,u,0,1,0.0,1.0\nb,u,-0,+1,0e5,1e0\n{wrong}\n", encoding="ascii")
        with pytest.raises(UserError, match=r"results\.csv, line 3: "):
            read_predictions(path)


@pytest.mark.parametrize("rows", [2, 4])
def test_an_oracle_of_more_or_fewer_rows(tmp_path: Path, rows: int) -> None:
    labels = {name: [True, False, True] for name in schema.TARGETS}
    table = ids(3).append_column("engaged_with_user_follower_count", pa.array([1, 2, 3]))
    pq.write_table(
        pa.table({**dict(zip(table.column_names, table.columns, strict=True)), **labels}), tmp_path / "l.parquet"
    )
    pq.write_table(pa.table({name: [0.5] * rows for name in schema.TARGETS}), tmp_path / "oracle.parquet")
    lines = "".join(f"t{row},u{row},0.5,0.5,0.5,0.5\n" for row in range(3))
    (tmp_path / "results.csv").write_text(lines, encoding="ascii")
    with pytest.raises(UserError, match=rf"oracle\.parquet: {rows} rows for the 3 of "):
        score_predictions(
            tmp_path / "results.csv", tmp_path / "l.parquet", tmp_path / "oracle.parquet", tiny_settings(tmp_path)
        )
