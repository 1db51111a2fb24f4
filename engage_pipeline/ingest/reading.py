"""A raw part becomes a typed Parquet file and a file of rejected lines, and every line is accounted for."""

import heapq
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engage_pipeline.config import Settings
from engage_pipeline.duckdb_engine import DuckDBEngine
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deleted_rows import DeletedRows, PartFiles
from engage_pipeline.ingest.deletions import NO_DELETIONS, Deletions
from engage_pipeline.ingest.fields import TypedRows
from engage_pipeline.ingest.lines import PartLines
from engage_pipeline.ingest.rejects import RejectTally, RejectWriter, read_rejects, shorten_ids
from engage_pipeline.ingest.report import IngestReport, summarise
from engage_pipeline.ingest.sorting import Order, sorted_by_tweet
from engage_pipeline.ingest.tweet_files import TweetWriter
from engage_pipeline.memory import reuse_memory


def ingest_part(
    source: Path,
    *,
    tweets: Path,
    rejects: Path,
    settings: Settings,
    labelled: bool,
    order: Order,
    split: Callable[[int], npt.NDArray[np.int32]] | None = None,
    deletions: Deletions = NO_DELETIONS,
) -> IngestReport:
    """Reads the part `source` into the Parquet files `tweets` and `rejects`.

    `tweets` has `schema.tweet_schema(labelled=…)`, sorted by tweet_id and line_number (`order` "tweet") or by
    line_number ("line"). With `split`, which gives for a number of lines the place of each, the same however many lines
    follow, schema.SPLIT is the last column. `rejects` has rejects.REJECT_SCHEMA, sorted by line_number. What
    `deletions` hit is in neither. A temporary file stands beside `tweets`. The same settings and lists give the same
    bytes.

    Raises UserError: a file that can't be read, is empty or of another kind of part; labels where there must be none;
    more than ingest.max_rejected_share of the lines rejected.
    """
    spool = tweets.with_name(f".{tweets.name}.rejects")
    try:
        with RejectWriter(spool, source.name) as broken:
            lines = PartLines(source, labelled=labelled, rejects=broken)
            typed = TypedRows(labelled=labelled, split=_Places(split, lines) if split else None)
            rows = _write_tweets(tweets, lines, typed, order, settings)
        _check_share(source, broken.tally, lines, settings)
        tally = _write_rejects(source, rejects, spool, typed)
        _check_balance(source, lines, rows, tally.count)
        _check_share(source, tally, lines, settings)
        if not rows:
            raise UserError(f"{source}: none of its {lines.lines} lines is an interaction")
        with DuckDBEngine(settings, readable=[tweets.parent]) as engine:
            forgotten, tally = _without_deleted(engine, deletions, PartFiles(tweets, rejects), order, tally)
            counts = {"lines": lines.lines, "blank": lines.blank, "forgotten": forgotten}
            return summarise(engine, tweets, tally, labelled=labelled, **counts)
    finally:
        spool.unlink(missing_ok=True)


class _Places:
    """The places of lines, before it is known how many there are: those of the first lines don't depend on it."""

    def __init__(self, split: Callable[[int], npt.NDArray[np.int32]], lines: PartLines) -> None:
        self._split, self._lines = split, lines
        self._places = np.empty(0, dtype=np.int32)

    def __call__(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        if len(self._places) < self._lines.lines:
            self._places = self._split(max(self._lines.lines, 2 * len(self._places)))
        return self._places[numbers]


def _write_tweets(tweets: Path, lines: PartLines, typed: TypedRows, order: Order, settings: Settings) -> int:
    """Writes the rows of all lines whose every value can be read; returns how many."""
    reuse_memory()
    with ExitStack() as stack:
        blocks = lines.blocks()
        if order == "tweet":
            engine = stack.enter_context(DuckDBEngine(settings, large_buffers=True))
            blocks = sorted_by_tweet(engine, blocks, typed.columns)
        writer = stack.enter_context(TweetWriter(tweets, typed.schema))
        for block in blocks:
            writer.write(typed.of(block))
    return writer.rows


def _write_rejects(source: Path, rejects: Path, spool: Path, typed: TypedRows) -> RejectTally:
    """Merges the rejected lines in `spool` with those that have unreadable values, in order of line."""
    with RejectWriter(rejects, source.name) as writer:
        for reject in heapq.merge(read_rejects(spool), typed.rejects(source), key=lambda reject: reject.line):
            writer.append(reject)
    return writer.tally


def _without_deleted(
    engine: DuckDBEngine, deletions: Deletions, part: PartFiles, order: Order, tally: RejectTally
) -> tuple[int, RejectTally]:
    """Takes what is deleted out of the part: how many lines, and the tally of the rejects that stay."""
    if not deletions:
        return 0, tally
    deleted = DeletedRows(engine, deletions)
    hits = deleted.find(part)
    return hits.lines, deleted.remove_in_place(part, hits, order) if hits.lines else tally


def _check_share(source: Path, tally: RejectTally, lines: PartLines, settings: Settings) -> None:
    share = settings.ingest.max_rejected_share
    if tally.count > share * lines.lines:
        first = tally.examples[0]
        raise UserError(
            f"{source}: {tally.count} of {lines.lines} lines can't be read, more than ingest.max_rejected_share = "
            f"{share:g}; the first is line {first.line} (from 0): {shorten_ids(first.reason)}"
        )


def _check_balance(source: Path, lines: PartLines, rows: int, rejected: int) -> None:
    if rows + rejected + lines.blank != lines.lines:
        raise RuntimeError(
            f"{source}: {rows} rows + {rejected} rejected + {lines.blank} blank lines are not {lines.lines} lines"
        )
