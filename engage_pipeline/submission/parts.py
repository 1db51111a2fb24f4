"""Predicts raw test parts in this process, part by part and row group by row group.

What does not belong here: which parts, and the number of processes (predict).
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.report import IngestReport
from engage_pipeline.interactions.features.joining import RowJoin, read_tweets
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.interactions.features.windows import Windows
from engage_pipeline.locations.location import Location
from engage_pipeline.plurals import counted
from engage_pipeline.progress import Progress, progress
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.file_names import REJECTS, TWEETS
from engage_pipeline.submission.published import Published
from engage_pipeline.submission.results import BATCH_ROWS, ResultsWriter
from engage_pipeline.submission.seen_rows import SeenRows

_BYTES_A_UNIT = 1024


def predict_parts(
    parts: Sequence[Location],
    published: Published,
    writer: ResultsWriter,
    seen: SeenRows,
    scratch: Path,
    settings: Settings,
) -> dict[Location, IngestReport]:
    """Predicts each part into `writer`; returns what was read of each. Progress is in KiB of raw input.

    The rows are added to `seen`. Temporary files go to the folder `scratch`. Raises UserError naming a part that can't
    be read.
    """
    reports: dict[Location, IngestReport] = {}
    sizes = [path.stat().st_size // _BYTES_A_UNIT for path in parts]
    with progress("predict", sum(sizes), "KiB of parts") as tracker:
        for path, size in zip(parts, sizes, strict=True):
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                share = _Share(tracker, writer, size)
                reports[path] = _predict_part(path, Path(folder), published, writer, seen, share, settings)
    return reports


def skipped_lines(reports: Mapping[Location, IngestReport]) -> list[str]:
    """Returns a warning for each part with rejected lines, which have no prediction: the first of them, and why."""
    warnings = []
    for part, report in reports.items():
        if report.rejected:
            first, more = [example.words() for example in report.examples], report.rejected - len(report.examples)
            lines = "; ".join(first) + (f" and {more:,} more" if more else "")
            warnings.append(f"{part}: skipped {counted(report.rejected, 'line')} that can't be read: {lines}")
    return warnings


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
    source: Location,
    folder: Path,
    published: Published,
    writer: ResultsWriter,
    seen: SeenRows,
    share: _Share,
    settings: Settings,
) -> IngestReport:
    tweets = folder / TWEETS
    report = ingest_part(
        source, tweets=tweets, rejects=folder / REJECTS, settings=settings, labelled=False, order="line"
    )
    share.rows = report.rows
    join = RowJoin("test", Windows.of(settings, published.counts))
    counts, done = ScoredFile.read(tweets) if published.model.reads_scored_file else None, 0
    for rows in read_tweets(tweets, tokens=True):
        features = join.table(rows)
        if counts:
            features = counts.beside(features, done)
        done += len(rows)
        for start in range(0, len(rows), BATCH_ROWS):
            batch = features.slice(start, BATCH_ROWS)
            writer.write(rows.slice(start, BATCH_ROWS), published.model.probabilities(batch), source)
            seen.add(batch)
            share.advance(len(batch))
    return report
