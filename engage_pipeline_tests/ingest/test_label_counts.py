"""Label counts against plain Python over the same rows."""

from collections import Counter
from pathlib import Path

import numpy as np

from engage_pipeline import schema
from engage_pipeline.ingest.side_files import label_counts
from engage_pipeline_tests.interactions.dense_rows import dense_rows
from engage_pipeline_tests.interactions.typed_parts import write_typed
from engage_pipeline_tests.samples import tiny_settings


def test_counts_are_those_of_the_rows_by_day(tmp_path: Path) -> None:
    written = dense_rows(80, 7)
    for row in written[:5]:
        row[schema.ENGAGEMENT_DAY] = 0
    for row in written[5:9]:
        row[schema.ENGAGEMENT_DAY] = -1  # the last day of 1969
    found = label_counts(write_typed(written, tmp_path / "tweets.parquet"), tiny_settings(tmp_path))
    known = [row for row in written if row[schema.ENGAGEMENT_DAY]]
    days = Counter(row[schema.ENGAGEMENT_DAY] for row in known)
    assert found[schema.ENGAGEMENT_DAY] == sorted(days)
    assert found[schema.ENGAGEMENT_DAY][0] == -1
    assert found["rows"] == [days[day] for day in sorted(days)]
    for name in schema.ENGAGEMENTS:
        engaged = Counter(
            row[schema.ENGAGEMENT_DAY] for row in known if row[schema.engagement_timestamp(name)] is not None
        )
        assert found[name] == [engaged[day] for day in sorted(days)]
    assert np.sum(found["like"]) > 0
