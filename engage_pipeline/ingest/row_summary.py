"""What the report and the side files say of the rows of a part, gathered while the rows pass by.

What does not belong here: figures for people (report), and files (side_files).
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT, combined, fingerprints
from engage_pipeline.schema import ENGAGEMENT_DAY, ENGAGEMENTS, MEDIA, TWEET_TYPES, engagement_timestamp

PAIR = ("tweet_id", "engaging_user_id")
IDS = (*PAIR, "engaged_with_user_id")
SAMPLE_ROWS = 2048
"""Rows of a sample; a part with fewer rows is sampled whole."""
_TIMES = {engagement_timestamp(engagement): engagement for engagement in ENGAGEMENTS}
_TRUTHS = (0, 1)
"""Times that no engagement has: truth values that were taken for times."""
_KNOWN = {"tweet_type": TWEET_TYPES, "present_media": MEDIA}


class RowSummary:
    """Counts of rows by day, by engagement and without an id, unknown values, duplicates and a sample; 8 bytes a row.

    `days` counts the rows of each engagement day, day 0 = rows without any time. `positives` counts rows by engagement,
    empty without labels. `missing_ids` counts the rows without each of IDS. `unknown` has those
    of `tweet_type` and `present_media` with a value that the challenge does not know.
    """

    def __init__(self) -> None:
        """There are no rows yet."""
        self.days: Counter[int] = Counter()
        self.positives: Counter[str] = Counter()
        self.missing_ids: Counter[str] = Counter()
        self.unknown: set[str] = set()
        self._with_times: set[str] = set()
        self._pairs = array("q")
        self._least = pa.table({name: pa.array([], pa.string()) for name in PAIR})
        self._bound: str | None = None

    @classmethod
    def of_file(cls, tweets: Path) -> Self:
        """Returns the summary of the typed tweets in a file."""
        summary = cls()
        columns = {*IDS, *_KNOWN, *_TIMES, ENGAGEMENT_DAY}
        with pq.ParquetFile(tweets) as file:
            names = [name for name in file.schema_arrow.names if name in columns]
            for group in range(file.num_row_groups):
                for _ in summary.watch(file.iter_batches(row_groups=[group], columns=names)):
                    pass
        return summary

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yields the batches of typed tweets after it has added their rows."""
        for rows in batches:
            days = pc.value_counts(rows[ENGAGEMENT_DAY])
            self.days.update(dict(zip(days.field(0).to_pylist(), days.field(1).to_pylist(), strict=True)))
            for name in _TIMES.keys() & set(rows.schema.names):
                self.positives[_TIMES[name]] += len(rows) - rows[name].null_count
                if name not in self._with_times and _has_unknown(rows[name], pa.array(_TRUTHS)):
                    self._with_times.add(name)
            self.missing_ids.update({name: rows[name].null_count for name in IDS})
            self.unknown.update(name for name in _KNOWN if _has_unknown(rows[name], pa.array(_KNOWN[name])))
            pairs = combined(*(fingerprints(rows[name]) for name in PAIR))
            self._pairs.frombytes(pairs[pairs != NO_FINGERPRINT].tobytes())
            self._add_least(pa.Table.from_batches([rows.select(PAIR)]))
            yield rows

    def duplicates(self) -> int:
        """Returns the rows whose tweet and viewer occurred in a row before; a row without either counts as none.

        Pairs are compared by fingerprint: a million different pairs give a wrong count with a probability of 3e-8.
        """
        pairs = np.sort(np.frombuffer(self._pairs, np.int64))
        return int(np.count_nonzero(pairs[1:] == pairs[:-1]))

    def truth_columns(self) -> list[str]:
        """Returns the columns of labels with values of which each is 0 or 1, and no time of an engagement."""
        return [name for name, kind in _TIMES.items() if self.positives[kind] and name not in self._with_times]

    def sample(self) -> pa.StringArray:
        """Returns `tweet viewer` of the first SAMPLE_ROWS rows that have both, in the order of these ids; sorted."""
        self._keep_least()
        pairs = pc.binary_join_element_wise(*self._least.columns, " ").combine_chunks()
        return pairs.take(pc.sort_indices(pairs))

    def _add_least(self, pairs: pa.Table) -> None:
        """Keeps the pairs that may be among the first SAMPLE_ROWS of all."""
        if self._bound is not None:
            pairs = pairs.filter(pc.less_equal(pairs["tweet_id"], self._bound))
        if len(pairs):
            self._least = pa.concat_tables([self._least, pairs.drop_null()])
            if len(self._least) >= 2 * SAMPLE_ROWS:
                self._keep_least()

    def _keep_least(self) -> None:
        order = pc.sort_indices(self._least, [(name, "ascending") for name in PAIR])
        self._least = self._least.take(order[:SAMPLE_ROWS]).combine_chunks()
        if len(self._least) == SAMPLE_ROWS:
            self._bound = self._least["tweet_id"][-1].as_py()


def _has_unknown(values: pa.Array, known: pa.Array) -> bool:
    each = values.flatten() if pa.types.is_list(values.type) else values
    return bool(pc.any(pc.invert(pc.is_in(each.drop_null(), known))).as_py())
