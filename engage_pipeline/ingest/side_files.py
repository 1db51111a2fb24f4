"""Small files beside the typed tweets of a part, so that checks of all parts don't need to read the parts.

| file | what |
|---|---|
| `days.parquet` | engagement_day (int32), rows (int64), ascending; day 0 = rows without any time |
| `sample.parquet` | pair (string): tweet and viewer of the first SAMPLE_ROWS rows in the order of this text |

Test parts have a sample only, `<part>.sample.parquet`. What does not belong here: conclusions from these files
(part_comparison).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.ingest.row_summary import SAMPLE_ROWS, RowSummary
from engage_pipeline.numerics.stray_days import NO_DATE
from engage_pipeline.schema import ENGAGEMENT_DAY
from engage_pipeline.settings.settings import Settings

DAYS, SAMPLE = "days.parquet", "sample.parquet"


@dataclass(frozen=True)
class SideFiles:
    """The side files of a part; a test part has no `days`."""

    sample: Path
    days: Path | None = None

    @classmethod
    def within(cls, folder: Path) -> Self:
        """Returns those of a labelled part in `folder`."""
        return cls(folder / SAMPLE, folder / DAYS)

    def write(self, summary: RowSummary) -> None:
        """Writes the files of the part with this summary."""
        pq.write_table(pa.table({"pair": summary.sample()}), self.sample, compression="zstd")
        if self.days:
            days = sorted(summary.days)
            rows = [summary.days[day] for day in days]
            table = pa.table({ENGAGEMENT_DAY: pa.array(days, pa.int32()), "rows": pa.array(rows, pa.int64())})
            pq.write_table(table, self.days, compression="zstd")


def rows_outside(days: Path, first: date, last: date) -> dict[str, int]:
    """Returns rows by day (`YYYY-MM-DD`, or `no date`) of the file `days` outside `first` … `last`, most first."""
    table = pq.read_table(days)
    day, rows = table[ENGAGEMENT_DAY].to_numpy(), table["rows"].to_numpy()
    low, high = _day_numbers(first, last)
    outside = (day < low) | (day > high) | (day == NO_DATE)
    found = sorted(zip(day[outside].tolist(), rows[outside].tolist(), strict=True), key=lambda pair: (-pair[1], pair))
    return {_day_name(one): count for one, count in found}


def rows_in_milliseconds(days: Path, first: date, last: date) -> int:
    """Returns the rows of the file `days` that would lie within `first` … `last` if times were milliseconds."""
    table = pq.read_table(days)
    day = table[ENGAGEMENT_DAY].to_numpy()
    low, high = _day_numbers(first, last)
    meant = day // 1000
    return int(table["rows"].to_numpy()[(day > high) & (meant >= low) & (meant <= high)].sum())


def _day_numbers(first: date, last: date) -> tuple[int, int]:
    return int(np.datetime64(first, "D").astype(np.int64)), int(np.datetime64(last, "D").astype(np.int64))


def _day_name(day: int) -> str:
    return "no date" if day == NO_DATE else str(np.datetime64(day, "D"))


def shared_rows(samples: Mapping[str, Path]) -> dict[str, tuple[int, int, str]]:
    """Returns for each part that shares sampled rows with an earlier part: how many, of how many, one such part.

    The samples are the smallest pairs of each part. Up to the smallest of their largest pairs, every part is sampled
    whole, so that the shares there estimate those of all rows (A. Broder: On the resemblance and containment of
    documents, 1997).
    """
    names = list(samples)
    columns = [pq.read_table(path)["pair"].combine_chunks().cast(pa.string()) for path in samples.values()]
    greatest = [column[-1].as_py() for column in columns if len(column) == SAMPLE_ROWS]
    if greatest:
        columns = [column.filter(pc.less_equal(column, min(greatest))) for column in columns]
    part = np.repeat(np.arange(len(names)), [len(column) for column in columns])
    if not len(part):
        return {}
    codes = pa.concat_arrays(columns).dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    home = part[first][codes]
    found = {}
    for index in np.unique(part[home != part]).tolist():
        homes = home[part == index]
        others = homes[homes != index]
        found[names[index]] = (len(others), len(homes), names[int(np.bincount(others).argmax())])
    return found


def label_counts(tweets: Path, settings: Settings) -> dict[str, list[int]]:
    """Returns `engagement_day`, `rows` and the rows of each engagement of the labelled `tweets`, a value per day."""
    with DuckDBEngine(settings, readable=[tweets.parent]) as engine:
        engine.read("tweets", [tweets])
        counts = engine.fetch("ingest/label_counts.sql")
    return {name: counts[name].to_pylist() for name in counts.column_names}
