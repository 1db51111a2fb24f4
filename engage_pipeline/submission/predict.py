"""The challenge's test phase: raw test parts in, results.csv out, with the published model and counters.

    report = predict([Path("test")], Path("results.csv"), settings, threads=1)

No orchestrator and no network. Part by part the lines become typed tweets, then features, then probabilities, in
temporary files below working_dir that are gone at the end. Memory does not grow with the rows: features are joined
slice by slice, and scored batch by batch.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pyarrow.parquet as pq

from engage_pipeline import exhausted, files
from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.batches import batches
from engage_pipeline.config import Settings
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.parts import find_parts
from engage_pipeline.ingest.reading import ingest_part
from engage_pipeline.interactions.features import write_features
from engage_pipeline.interactions.similarity import SIMILAR_AUTHORS
from engage_pipeline.model.bundle import TrainedModel
from engage_pipeline.progress import Progress, progress
from engage_pipeline.submission.results import BATCH_ROWS, ResultsWriter, write_part
from engage_pipeline.submission.threads import limited_threads
from engage_pipeline.versions import Version

LEAST_SLICE_ROWS, MOST_SLICE_ROWS = 32_768, 1_048_576
COUNTS_A_ROW = 16
"""Rows of the counters that are read for each row of a slice, at least: joining a slice reads all counters once."""
_BYTES_A_UNIT = 1024
SCRATCH = ".predict-"
_T = TypeVar("_T")


@dataclass(frozen=True)
class PredictReport:
    """What was predicted: lines of results.csv, wall-clock seconds, and lines of the parts that could not be read."""

    rows: int
    seconds: float
    rejected: int

    @property
    def rows_per_second(self) -> float:
        """Lines of results.csv a second, everything counted."""
        return self.rows / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Published:
    """What predicting reads: the model and the counters behind the features."""

    model: TrainedModel
    counts: dict[str, Path]
    slice_rows: int


def predict(inputs: Sequence[Path], output: Path, settings: Settings, *, threads: int | None = None) -> PredictReport:
    """Writes the results.csv `output` for the test parts `inputs`: files, or folders of parts.

    Parts follow each other as given, those of a folder by name; a line for every row, in order. `threads` limits
    every library; None = engine.threads. Raises UserError before any work where an input is missing or the model is
    not there, is damaged or was made with other settings.
    """
    started = time.monotonic()
    parts = expand_inputs(inputs, follow_links=settings.follow_links)
    if output.is_dir():
        raise UserError(f"{output}: is a folder")
    threads = threads or settings.engine.threads
    settings = settings.model_copy(update={"engine": settings.engine.model_copy(update={"threads": threads})})

    def needed() -> int:
        return exhausted.size_estimate(0, 0, parts)

    places = [output.resolve().parent, settings.working_dir]
    with (
        limited_threads(threads),
        exhausted.told_when_exhausted("predict", places, needed, settings),
        files.scratch_folder(settings.working_dir, SCRATCH) as scratch,
        files.scratch_folder(output.parent, SCRATCH) as beside,
    ):
        published = open_published(ArtifactStore(settings), threads, scratch)
        with ResultsWriter(beside / output.name) as writer:
            rejected = _predict_parts(parts, published, writer, scratch, settings)
        files.put_in_place(beside / output.name, output)
    return PredictReport(writer.rows, time.monotonic() - started, rejected)


def expand_inputs(inputs: Sequence[Path], *, follow_links: bool = False) -> list[Path]:
    """The part files of `inputs`, folders replaced by their parts in order of name.

    Raises UserError naming an input that is missing or given twice, or a folder without parts.
    """
    parts: dict[Path, Path] = {}
    for path in inputs:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        for part in find_parts(path, follow_links=follow_links).values() if path.is_dir() else [path]:
            if part.resolve() in parts:
                raise UserError(f"{part}: given twice")
            parts[part.resolve()] = part
    if not parts:
        raise UserError("no parts to predict")
    return list(parts.values())


def open_published(store: ArtifactStore, threads: int | None, scratch: Path | None = None) -> Published:
    """What is published. Raises UserError where some of it is not there, is damaged or was made otherwise.

    With a folder `scratch` in the same file system the counters stay readable there, however often they are published
    anew while it lasts.
    """

    def directory(name: str) -> Path:
        return _unless_replaced(store, name, lambda version: _held(version, scratch))

    counts = {
        "training_counts": directory("interaction_counts"),
        "similarity": directory("author_similarity") / SIMILAR_AUTHORS,
        "validation_counts": directory("validation_counts"),
    }
    model = _unless_replaced(store, "trained_model", lambda version: TrainedModel.load(version, threads))
    return Published(model, counts, slice_rows([counts["training_counts"], counts["validation_counts"]]))


def _unless_replaced(store: ArtifactStore, name: str, use: Callable[[Version], _T]) -> _T:
    """`use` of the current version: once more if it became an old one meanwhile, whose files may be gone."""
    while True:
        version = store.open(name)
        try:
            return use(version)
        except (UserError, FileNotFoundError):
            if store.open(name).manifest.directory == version.manifest.directory:
                raise


def _held(version: Version, scratch: Path | None) -> Path:
    """The folder of the version, or one of links to its files that outlives it."""
    directory = version.directory()
    if scratch is None:
        return directory
    links = Path(tempfile.mkdtemp(prefix=f"{version.manifest.artifact}-", dir=scratch))
    for name in version.manifest.files:
        (links / name).hardlink_to(directory / name)
    return links


def _predict_parts(
    parts: Sequence[Path], published: Published, writer: ResultsWriter, scratch: Path, settings: Settings
) -> int:
    """Predicts part after part; returns the rejected lines. Progress is measured in kibibytes of raw input."""
    rejected = 0
    sizes = [path.stat().st_size // _BYTES_A_UNIT for path in parts]
    with progress("predict", sum(sizes), "KiB of parts") as tracker:
        for path, size in zip(parts, sizes, strict=True):
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                rejected += _predict_part(
                    path, Path(folder), published, writer, _Share(tracker, writer, size), settings
                )
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
    source: Path, folder: Path, published: Published, writer: ResultsWriter, share: _Share, settings: Settings
) -> int:
    tweets, features = folder / "tweets.parquet", folder / "features.parquet"
    report = ingest_part(
        source, tweets=tweets, rejects=folder / "rejects.parquet", settings=settings, labelled=False, order="line"
    )
    share.rows = report.rows
    for piece in slices(tweets, folder / "slice.parquet", published.slice_rows):
        write_features(piece, features, kind="test", settings=settings, **published.counts)
        for rows in write_part(writer, published.model, piece, features):
            share.advance(rows)
    return report.rejected


def slice_rows(folders: Sequence[Path]) -> int:
    """Rows of a slice whose join is worth one pass over the counters in `folders`: more for large counters."""
    counters = sum(pq.read_metadata(path).num_rows for folder in folders for path in folder.glob("*.parquet"))
    return min(max(counters // COUNTS_A_ROW, LEAST_SLICE_ROWS), MOST_SLICE_ROWS)


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
