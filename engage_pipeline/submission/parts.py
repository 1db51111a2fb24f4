"""Predicts raw test parts in this process, part by part and slice by slice.

What does not belong here: which parts, and the number of processes (predict).
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
from engage_pipeline.store.file_names import FEATURES, REJECTS, TWEETS
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
    """Predicts each part into `writer`; returns the number of rejected lines. Progress is in KiB of raw input.

    The rows are added to `seen`. Temporary files go to the folder `scratch`. Raises UserError naming a part that can't
    be read.
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
    """Converts finished rows of one part to their share of its `size` and advances the progress by it."""

    tracker: Progress
    writer: ResultsWriter
    size: int
    rows: int = 0
    done_rows: int = 0
    done_size: int = 0

    def advance(self, rows: int) -> None:
        """Reports `rows` more rows of the part as done."""
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
    tweets, features = folder / TWEETS, folder / FEATURES
    report = ingest_part(
        source, tweets=tweets, rejects=folder / REJECTS, settings=settings, labelled=False, order="line"
    )
    share.rows = report.rows
    for piece in slices(tweets, folder / "slice.parquet", published.slice_rows):
        write_features(piece, features, kind="test", settings=settings, **published.counts)
        for rows in write_part(writer, published.model, piece, features, seen.add):
            share.advance(rows)
    return report.rejected


def slices(tweets: Path, piece: Path, rows: int) -> Iterator[Path]:
    """Yields Parquet files with the rows of `tweets` in order, at most `rows` each.

    Yields `tweets` itself if it is small enough, else `piece` repeatedly: read each before asking for the next.
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
