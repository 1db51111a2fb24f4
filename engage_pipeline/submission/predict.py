"""The challenge's test phase: raw test parts to results.csv, with the published model and counters.

    report = predict([Path("test")], Path("results.csv"), settings, threads=1)

No orchestrator, and no network but for parts and output that are URIs. Each part becomes typed tweets, then features,
then probabilities, in temporary files below working_dir. Memory does not grow with the rows: features are joined slice
by slice and scored batch by batch. Several processes share the parts. Only a model that reads counts inside the scored
file holds more: about 200 bytes for each row of a part, which is the file.
"""

import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.files.outputs import find_output
from engage_pipeline.files.raw_parts import find_parts
from engage_pipeline.ingest.parsing.parquet_rows import check_test_part
from engage_pipeline.ingest.report import IngestReport
from engage_pipeline.interactions.drift.profile import read_profile
from engage_pipeline.locations.location import Location, absent
from engage_pipeline.machine import full_disk
from engage_pipeline.machine.shares import settings_of_one, shared_by_size
from engage_pipeline.machine.spill import PREDICT_PREFIX
from engage_pipeline.machine.threads import limited_threads
from engage_pipeline.machine.workers import run_in_processes
from engage_pipeline.model.bundle import TRAINING_PROFILE
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.mirror.following import open_store
from engage_pipeline.submission.parts import predict_parts, skipped_lines
from engage_pipeline.submission.published import Held, hold_published
from engage_pipeline.submission.results import ResultsWriter
from engage_pipeline.submission.safe_output import require_safe
from engage_pipeline.submission.seen_rows import SeenRows

LOGGER = logging.getLogger("engage_pipeline")
_WHOLE = "results.csv"
Reports = dict[Location, IngestReport]


@dataclass(frozen=True)
class PredictReport:
    """`rows`: lines of results.csv. `seconds`: wall time. `rejected`: lines of the parts that can't be read.
    `warnings`: the parts with rejected lines, and differences from the training rows, a line each.
    `start_seconds`: the part of `seconds` until the model was loaded, in the last of several processes."""

    rows: int
    seconds: float
    rejected: int
    warnings: tuple[str, ...] = ()
    start_seconds: float = 0.0

    @property
    def rows_per_second(self) -> float:
        """Lines of results.csv per second, once the model is loaded."""
        return self.rows / max(self.seconds - self.start_seconds, 1e-9)


@dataclass(frozen=True)
class _Predicted:
    """What was read of each part, the seen rows, and when the model was loaded (time.monotonic, of all processes)."""

    reports: Reports
    seen: SeenRows
    loaded: float


def predict(
    inputs: Sequence[Location],
    output: Location,
    settings: Settings,
    *,
    threads: int | None = None,
    processes: int = 1,
    allow_mixed: bool = False,
) -> PredictReport:
    """Writes the results.csv `output` for the test parts `inputs`: files, or folders of parts.

    `output` may be a pipe, a device or `-` (standard output); a file or an object appears whole (files.outputs). Parts
    keep the given order, those of a folder are sorted by name; every row gets a line, in order. `threads` limits every
    library in each process; None = engine.threads. Each of several `processes` gets whole parts and its share of
    engine.memory_limit. Raises UserError before any work if an input is missing, or a Parquet file that is damaged,
    lacks a column or has labels; if `output` is an input or a published file; if the model is missing, damaged or of
    other settings; or, unless `allow_mixed`, if the counters of its promotion are gone.
    """
    started = time.monotonic()
    place = find_output(output)
    parts = expand_inputs(inputs, follow_links=settings.follow_links)
    require_safe(place, parts, settings)
    for part in parts:
        check_test_part(part)
    shares, folder = shared_by_size(parts, processes), place.draft_folder(settings.working_dir)
    settings = settings_of_one(settings, len(shares), threads)
    with (
        _told_when_exhausted(folder, parts, settings),
        atomic.scratch_folder(settings.working_dir, PREDICT_PREFIX) as scratch,
        atomic.scratch_folder(folder, PREDICT_PREFIX) as beside,
    ):
        held = hold_published(open_store(settings), scratch, allow_mixed=allow_mixed)
        with place.stream() if place.target is None else (beside / _WHOLE).open("wb") as file:
            if len(shares) == 1:
                done = _predict_here(parts, file, held, scratch, settings)
            else:
                done = _predict_apart(shares, beside, file, held, scratch, settings)
        profile = held.model / TRAINING_PROFILE
        warnings = skipped_lines({part: done.reports[part] for part in parts})
        warnings += done.seen.differences(read_profile(profile) if profile.exists() else None, settings)
        if place.target is not None:
            place.put(beside / _WHOLE)
    for warning in warnings:
        LOGGER.warning("warning: %s", warning)
    return _report(done, warnings, started)


def _report(done: _Predicted, warnings: Sequence[str], started: float) -> PredictReport:
    rejected = sum(report.rejected for report in done.reports.values())
    seconds, start_seconds = time.monotonic() - started, done.loaded - started
    return PredictReport(done.seen.rows, seconds, rejected, tuple(warnings), start_seconds)


def _told_when_exhausted(folder: Path, parts: Sequence[Location], settings: Settings) -> AbstractContextManager[None]:
    places = [folder, settings.working_dir]
    return full_disk.told_when_exhausted("predict", places, lambda: full_disk.size_estimate(0, 0, parts), settings)


def _predict_here(
    parts: Sequence[Location], output: IO[bytes], held: Held, scratch: Path, settings: Settings
) -> _Predicted:
    """Predicts the parts here into the open file `output`."""
    threads, seen = settings.engine.threads, SeenRows()
    with limited_threads(threads):
        published, loaded = held.load(threads, settings.engine.device), time.monotonic()
        with ResultsWriter(output) as writer:
            reports = predict_parts(parts, published, writer, seen, scratch, settings)
    return _Predicted(reports, seen, loaded)


def _predict_apart(
    shares: Sequence[dict[int, Location]],
    beside: Path,
    output: IO[bytes],
    held: Held,
    scratch: Path,
    settings: Settings,
) -> _Predicted:
    """Predicts each share in its own process, and joins the results in the order of the parts."""
    arguments = [(share, beside, held, scratch, settings) for share in shares]
    outcomes = run_in_processes("predict", _predict_share, arguments)
    for place in sorted(place for share in shares for place in share):
        piece = beside / _piece(place)
        with piece.open("rb") as file:
            shutil.copyfileobj(file, output)
        piece.unlink()
    reports, seen = Reports(), SeenRows()
    for done in outcomes:
        reports |= done.reports
        seen.merge(done.seen)
    return _Predicted(reports, seen, max(done.loaded for done in outcomes))


def _predict_share(
    share: dict[int, Location], beside: Path, held: Held, scratch: Path, settings: Settings
) -> _Predicted:
    """Predicts each part into its own file in the folder `beside`."""
    threads, reports, seen = settings.engine.threads, Reports(), SeenRows()
    with _told_when_exhausted(beside, list(share.values()), settings), limited_threads(threads):
        published, loaded = held.load(threads, settings.engine.device), time.monotonic()
        for place, path in share.items():
            with ResultsWriter(beside / _piece(place)) as writer:
                reports |= predict_parts([path], published, writer, seen, scratch, settings)
    return _Predicted(reports, seen, loaded)


def _piece(place: int) -> str:
    return f"piece-{place}.csv"


def expand_inputs(inputs: Sequence[Location], *, follow_links: bool = False) -> list[Location]:
    """Returns the part files of `inputs`; a folder is replaced by its parts, sorted by name.

    Raises UserError naming an input that is missing or given twice, or a folder without parts.
    """
    parts: dict[Location, Location] = {}
    for path in inputs:
        if not path.exists():
            raise absent(path, "no such file or folder")
        for part in find_parts(path, follow_links=follow_links).values() if path.is_dir() else [path]:
            if part.resolve() in parts:
                raise UserError(f"{part}: given twice")
            parts[part.resolve()] = part
    if not parts:
        raise UserError("no parts to predict")
    return list(parts.values())
