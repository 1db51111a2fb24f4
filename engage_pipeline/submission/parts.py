"""Predicts raw test parts in this process, part after part, slice after slice.

What does not belong here: which parts, and on how many processes (predict).
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from engage_pipeline.files.parquet import batches
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.progress import Progress, progress
from engage_pipeline.settings.settings import Settings
from engage_pipeline.submission.published import Published
from engage_pipeline.submission.results import BATCH_ROWS, ResultsWriter, write_part
from engage_pipeline.submission.seen_rows import SeenRows

_BYTES_A_UNIT = 1024


def predict_parts(
    parts: Sequence[Path],
    published: Published,
    writer: ResultsWriter,
    seen: SeenRows,
    scratch: Path,
    settings: Settings,
) -> int:
    """Writes the lines of each part; returns the rejected ones. Progress is measured in kibibytes of raw input.

    The rows are counted in `seen`. Temporary files lie in the folder `scratch`. Raises UserError naming a part that
    can't be read.
    """
    rejected = 0
    sizes = [path.stat().st_size // _BYTES_A_UNIT for path in parts]
    with progress("predict", sum(sizes), "KiB of parts") as tracker:
        for path, size in zip(parts, sizes, strict=True):
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                share = _Share(tracker, writer, size)
                rejected += _predict_part(path, Path(folder), published, writer, seen, share, settings)
    return rejected


@dataclass
class _Share:
    """Advances a Progress by the share of one part's `size` that its rows done are of its `rows`."""

    tracker: Progress
    writer: ResultsWriter
    size: int
    rows: int = 0
    done_rows: int = 0
    done_size: int = 0

    def advance(self, rows: int) -> None:
        """`rows` more of the part are done."""
        self.done_rows += rows
        size = self.size * self.done_rows // max(self.rows, 1)
        self.tracker.advance(size - self.done_size, f"{self.writer.rows:,} rows")
        self.done_size = size


def _predict_part(
    source: Path,
    folder: Path,
    published: Published,
    writer: ResultsWriter,
    seen: SeenRows,
    share: _Share,
    settings: Settings,
) -> int:
    tweets, features = folder / "tweets.parquet", folder / "features.parquet"
    report = ingest_part(
        source, tweets=tweets, rejects=folder / "rejects.parquet", settings=settings, labelled=False, order="line"
    )
    share.rows = report.rows
    for piece in slices(tweets, folder / "slice.parquet", published.slice_rows):
        write_features(piece, features, kind="test", settings=settings, **published.counts)
        for rows in write_part(writer, published.model, piece, features, seen.add):
            share.advance(rows)
    return report.rejected


def slices(tweets: Path, piece: Path, rows: int) -> Iterator[Path]:
    """Parquet files that hold the rows of `tweets` in order, at most `rows` each.

    Either `tweets` itself, or `piece` again and again: read each before the next is asked for.
    """
    with pq.ParquetFile(tweets) as file:
        if file.metadata.num_rows <= rows:
            yield tweets
            return
        batch_rows = min(rows, BATCH_ROWS)
        tables = batches(file, batch_rows)
        while first := next(tables, None):
            with pq.ParquetWriter(piece, file.schema_arrow, compression="lz4") as writer:
                writer.write_table(first)
                for table in islice(tables, rows // batch_rows - 1):
                    writer.write_table(table)
            yield piece
