"""Converts a raw part to a typed Parquet file and a file of rejected lines, and accounts for every line."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.duckdb import DuckDBEngine
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import Identity, identity, unchanged
from engage_pipeline.ingest.day_order import Order, RowsByDay
from engage_pipeline.ingest.deletions.lists import NO_DELETIONS, Deletions
from engage_pipeline.ingest.deletions.rows import DeletedRows, Hits, PartFiles
from engage_pipeline.ingest.parsing.part_rows import PartRows, part_rows
from engage_pipeline.ingest.parsing.typed_rows import LABEL_IS_A_TIME, TypedRows
from engage_pipeline.ingest.reject_limit import RejectLimit, TooManyRejectsError
from engage_pipeline.ingest.rejected_part import FailedPart, bounded, failure, keep
from engage_pipeline.ingest.rejects import Reject, RejectTally, RejectWriter, read_rejects
from engage_pipeline.ingest.report import IngestReport, summarise
from engage_pipeline.ingest.row_summary import RowSummary
from engage_pipeline.ingest.side_files import SideFiles
from engage_pipeline.ingest.tweet_files import TweetWriter
from engage_pipeline.locations.location import Location
from engage_pipeline.machine.memory import arrow_on_malloc, reuse_memory
from engage_pipeline.machine.shares import memory_bytes
from engage_pipeline.schema import LINE_NUMBER
from engage_pipeline.settings.settings import Settings

_REJECTS_AT_ONCE = 1000
_MEMORY_LIMIT = "100MB"


def ingest_part(
    source: Location,
    *,
    tweets: Path,
    rejects: Path,
    settings: Settings,
    labelled: bool,
    order: Order,
    split: Callable[[int], npt.NDArray[np.int32]] | None = None,
    deletions: Deletions = NO_DELETIONS,
    side_files: SideFiles | None = None,
    kept: Path | None = None,
    since: Identity | None = None,
) -> IngestReport:
    """Reads the part `source` into the Parquet files `tweets` and `rejects`, and writes `side_files`, if it is to stay.

    `tweets` has `schema.tweet_schema(labelled=…)`, sorted by engagement_day and line_number (`order` "day") or by
    line_number ("line"). `split` maps a number of lines to the place of each, which must not depend on the lines that
    follow; with it, schema.SPLIT is the last column. `rejects` has rejects.REJECT_SCHEMA, sorted by line_number. Lines
    that match `deletions` are in neither file. Temporary files are written beside `tweets`. The same settings and lists
    give the same bytes. If too many lines are rejected (_Read.failed), the first go to `kept`, if given; a successful
    ingest removes it. `since` is the identity that the file must have; None = its current one.

    Raises UserError: unreadable, empty or changing file, another kind of part, wrong labels, too many rejects.
    """
    spool = tweets.with_name(f".{tweets.name}.rejects")
    try:
        with unchanged(source, since or identity(source)):
            kind = {"labelled": labelled, "new": side_files is not None}
            read = _read(source, tweets, spool, **kind, order=order, split=split, settings=settings)
        tally = _write_rejects(spool, rejects, source.name, read, settings)
    finally:
        spool.unlink(missing_ok=True)
    with _deleted_rows(tweets.parent, deletions, settings) as deleted:
        if read.failed:
            raise _failure(source, read, tally, rejects, kept, deleted, settings)
        _require_rows(source, read)
        hits, tally = _without_deleted(deleted, PartFiles(tweets, rejects), tally)
    summary = RowSummary.of_file(tweets) if hits.lines else read.summary
    if side_files:
        side_files.write(summary)
    if kept:
        kept.unlink(missing_ok=True)
    counts = {"lines": read.lines, "blank": read.blank, "forgotten": hits.lines, "forgotten_rows": len(hits.rows)}
    return summarise(tweets, summary, tally, _modest(settings), labelled=labelled, **counts)


def _modest(settings: Settings) -> Settings:
    """Returns settings for queries of one part: beyond _MEMORY_LIMIT DuckDB spills, whatever the size of the part."""
    limit = min(settings.engine.memory_limit, _MEMORY_LIMIT, key=memory_bytes)
    return settings.model_copy(update={"engine": settings.engine.model_copy(update={"memory_limit": limit})})


@dataclass(frozen=True)
class _Read:
    """The counts of a part. `lines` are all of its lines, even if reading `stopped` early due to too many rejects."""

    rows: int
    lines: int
    blank: int
    summary: RowSummary
    tally: RejectTally
    too_many: bool
    stopped: bool

    @property
    def failed(self) -> bool:
        """Whether the part fails because of its rejected lines: they are too many, or no row is left."""
        return self.too_many or (not self.rows and self.tally.count > 0)


def _read(
    source: Location,
    tweets: Path,
    spool: Path,
    *,
    labelled: bool,
    new: bool,
    order: Order,
    split: Callable[[int], npt.NDArray[np.int32]] | None,
    settings: Settings,
) -> _Read:
    """Writes lines whose every value can be read to `tweets`, the others to `spool`, not quite by line if Parquet."""
    limit = RejectLimit(source, settings.ingest.max_rejected_share)
    with RejectWriter(spool, source.name, limit) as found:
        lines = part_rows(source, labelled=labelled, rejects=found, settings=settings, new=new)
        places = _Places(split, lines) if split else None
        typed = TypedRows(source, labelled=labelled, split=places, rejects=found, by_day=order == "day")
        summary = RowSummary()
        try:
            rows = _write_tweets(tweets, summary.watch(typed.read(lines.blocks())), typed.schema, order)
        except TooManyRejectsError:
            return _Read(0, limit.lines or lines.lines, typed.blank, summary, found.tally, too_many=True, stopped=True)
    too_many = limit.exceeded(found.tally.count, lines.lines)
    return _Read(rows, lines.lines, typed.blank, summary, found.tally, too_many, stopped=False)


def _require_rows(source: Location, read: _Read) -> None:
    """Raises UserError: a part without a row, or with labels that are truth values instead of times."""
    if not read.rows:
        raise UserError(f"{source}: none of its {read.lines:,} lines is an interaction")
    if truths := read.summary.truth_columns():
        raise UserError(f"{source}: all values of {', '.join(truths)} are 0 or 1, where {LABEL_IS_A_TIME}")


class _Places:
    """The split places of lines while their total is unknown: a line's place doesn't depend on the lines after it."""

    def __init__(self, split: Callable[[int], npt.NDArray[np.int32]], lines: PartRows) -> None:
        self._split, self._lines = split, lines
        self._places = np.empty(0, dtype=np.int32)

    def __call__(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        if len(self._places) < self._lines.lines:
            self._places = self._split(max(self._lines.lines, 2 * len(self._places)))
        return self._places[numbers]


def _write_tweets(tweets: Path, rows: Iterator[pa.RecordBatch], schema: pa.Schema, order: Order) -> int:
    """Writes the rows that TypedRows reads to `tweets`, in `order`; returns the number of rows."""
    reuse_memory()
    with ExitStack() as stack:
        stack.enter_context(arrow_on_malloc())
        writer = stack.enter_context(TweetWriter(tweets, schema))
        if order == "day":
            spool = tweets.with_name(f".{tweets.name}.days")
            rows = stack.enter_context(RowsByDay(spool, schema)).sort(rows)
        for batch in rows:
            writer.write(batch)
    return writer.rows


def _write_rejects(spool: Path, rejects: Path, file: str, read: _Read, settings: Settings) -> RejectTally:
    """Writes the rejected lines in `spool` by line number; of a failed part only the first ones."""
    with RejectWriter(rejects, file) as writer:
        if read.tally.count:
            in_order = _in_order(spool, settings)
            for reject in bounded(in_order) if read.failed else in_order:
                writer.append(reject)
    return writer.tally


def _in_order(spool: Path, settings: Settings) -> Iterator[Reject]:
    """Yields the rejected lines in `spool` by line number, as those of text parts are written."""
    numbers = pq.read_table(spool, columns=[LINE_NUMBER])[LINE_NUMBER].to_numpy()
    if (np.diff(numbers) > 0).all():
        yield from read_rejects(spool)
        return
    with DuckDBEngine(_modest(settings), readable=[spool.parent]) as engine:
        engine.read("found", [spool])
        lines = engine.connection.table("found").select(LINE_NUMBER, "reason", "raw").sort(LINE_NUMBER)
        for batch in lines.to_arrow_reader(_REJECTS_AT_ONCE):
            yield from map(Reject, *(column.to_pylist() for column in batch.columns))


def _failure(
    source: Location,
    read: _Read,
    first: RejectTally,
    rejects: Path,
    kept: Path | None,
    deleted: DeletedRows | None,
    settings: Settings,
) -> UserError:
    """Keeps the first rejected lines of a failed part, from `rejects`, and returns the error to raise."""
    if kept:
        if deleted:
            deleted.remove_rejects(rejects)
        keep(rejects, kept)
    share = settings.ingest.max_rejected_share if read.too_many else None
    return failure(FailedPart(source, share, read.lines, read.tally, first, read.stopped), kept)


@contextmanager
def _deleted_rows(folder: Path, deletions: Deletions, settings: Settings) -> Iterator[DeletedRows | None]:
    """Yields what finds deleted rows in the files of `folder`; None if nothing is deleted."""
    if not deletions:
        yield None
        return
    with DuckDBEngine(settings, readable=[folder]) as engine:
        yield DeletedRows(engine, deletions)


def _without_deleted(deleted: DeletedRows | None, part: PartFiles, tally: RejectTally) -> tuple[Hits, RejectTally]:
    """Removes deleted lines from the part; returns these and the tally of the remaining rejects."""
    if deleted is None:
        return Hits(np.zeros(0, np.int64), frozenset()), tally
    hits = deleted.find(part)
    return hits, deleted.remove_in_place(part, hits) if hits.lines else tally
