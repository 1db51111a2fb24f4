"""Limits of the rules of typed tweets, at the very numbers."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.ingest.rejects import Reject, RejectTally
from engage_pipeline.ingest.report import summarise
from engage_pipeline.ingest.row_summary import RowSummary
from engage_pipeline.ingest.rules import holdout_has_its_share
from engage_pipeline.store.rules import outcome_of
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, ingest
from engage_pipeline_tests.samples import bare_store, tiny_settings


@pytest.mark.parametrize(
    ("held_out", "passes"), [(1000, True), (1150, True), (1151, False), (850, True), (849, False), (0, False)]
)
def test_the_holdout_is_within_five_standard_deviations(tmp_path: Path, held_out: int, passes: bool) -> None:
    """A tenth of 10 000 rows: the standard deviation is the root of 10 000 x 0.1 x 0.9, which is 30."""
    split = np.where(np.arange(10_000) < held_out, schema.HOLDOUT, 1).astype(np.int32)
    store = bare_store(tiny_settings(tmp_path / "data", validation_percentage=0.1))
    with store.publish("validation_tweets") as draft:
        pq.write_table(pa.table({schema.SPLIT: split}), draft.path("tweets.parquet"))
    found = outcome_of(store, store.open("validation_tweets"), holdout_has_its_share)
    assert found.figures == {"held out": held_out, "rows": 10_000}
    assert (found.problem == "") == passes


@pytest.mark.parametrize("lines", [6, 7, 8])
def test_a_report_is_refused_where_a_line_is_lost_or_comes_in(tmp_path: Path, lines: int) -> None:
    """Three rows, two rejected lines, one blank and one forgotten: seven."""
    ingest(tmp_path, (GOOD + b"\n") * 3)
    tally = RejectTally()
    for number in (3, 4):
        tally.add(Reject(number, "columns: 1", b"x"))
    counts = {"lines": lines, "blank": 1, "forgotten": 1, "forgotten_rows": 1}
    tweets, settings = tmp_path / "tweets.parquet", tiny_settings(tmp_path / "work")
    summary = RowSummary.of_file(tweets)
    if lines == 7:
        assert summarise(tweets, summary, tally, settings, labelled=True, **counts).rows == 3
        return
    with pytest.raises(RuntimeError, match=r"3 rows .* 2 rejected .* 1 blank .* 1 forgotten lines are not"):
        summarise(tweets, summary, tally, settings, labelled=True, **counts)
