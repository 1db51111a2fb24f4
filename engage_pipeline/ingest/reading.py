"""A raw part becomes a typed Parquet file and a file of rejected lines, and every line is accounted for."""

import heapq
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from engage_pipeline.config import Settings
from engage_pipeline.duckdb_engine import DuckDBEngine
from engage_pipeline.errors import UserError
from engage_pipeline.exhausted import is_exhausted
from engage_pipeline.ingest.deleted_rows import DeletedRows, PartFiles
from engage_pipeline.ingest.deletions import NO_DELETIONS, Deletions
from engage_pipeline.ingest.fields import Order, TypedPart
from engage_pipeline.ingest.lines import CheckedLines, check_lines
from engage_pipeline.ingest.rejects import RejectTally, RejectWriter, read_rejects, shorten_ids
from engage_pipeline.ingest.report import IngestReport, summarise


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
    line_number ("line"). With `split`, which gives for a number of lines the place of each, schema.SPLIT is the last
    column. `rejects` has rejects.REJECT_SCHEMA, sorted by line_number. What `deletions` hit is in neither. Temporary
    files stand beside `tweets`. The same settings and lists give the same bytes; with "line", another number of threads
    may cut the row groups elsewhere.

    Raises UserError: a file that can't be read, is empty or of another kind of part; labels where there must be none;
    more than ingest.max_rejected_share of the lines rejected.
    """
    copy, spool = (tweets.with_name(f".{tweets.name}.{role}") for role in ("clean", "rejects"))
    try:
        with RejectWriter(spool, source.name) as broken:
            checked = check_lines(source, labelled=labelled, copy=copy, rejects=broken)
        _check_share(source, broken.tally, checked, settings)
        with DuckDBEngine(settings, readable=[checked.clean.parent, tweets.parent]) as engine:
            typed = TypedPart(engine, checked, labelled=labelled)
            rows = _written(typed, source, tweets, order, split(checked.lines) if split else None)
            all_read = rows == checked.lines - len(checked.dropped)
            tally = _write_rejects(source, rejects, spool, None if all_read else typed)
            _check_balance(source, checked, rows, tally.count)
            _check_share(source, tally, checked, settings)
            if not rows:
                raise UserError(f"{source}: none of its {checked.lines} lines is an interaction")
            forgotten, tally = _without_deleted(engine, deletions, PartFiles(tweets, rejects), order, tally)
            counts = {"lines": checked.lines, "blank": checked.blank, "forgotten": forgotten}
            return summarise(engine, tweets, tally, labelled=labelled, **counts)
    finally:
        copy.unlink(missing_ok=True)
        spool.unlink(missing_ok=True)


def _written(typed: TypedPart, source: Path, tweets: Path, order: Order, split: npt.NDArray[np.int32] | None) -> int:
    try:
        return typed.write(tweets, order, split)
    except duckdb.Error as error:
        if is_exhausted(error):
            raise
        raise UserError(f"{source}: can't be read: {' '.join(str(error).split())[:500]}") from error


def _write_rejects(source: Path, rejects: Path, spool: Path, typed: TypedPart | None) -> RejectTally:
    """Merges the rejected lines in `spool` with those that have unreadable values, in order of line."""
    unreadable = typed.rejects(source) if typed is not None else iter(())
    with RejectWriter(rejects, source.name) as writer:
        for reject in heapq.merge(read_rejects(spool), unreadable, key=lambda reject: reject.line):
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


def _check_share(source: Path, tally: RejectTally, checked: CheckedLines, settings: Settings) -> None:
    share = settings.ingest.max_rejected_share
    if tally.count > share * checked.lines:
        first = tally.examples[0]
        raise UserError(
            f"{source}: {tally.count} of {checked.lines} lines can't be read, more than ingest.max_rejected_share = "
            f"{share:g}; the first is line {first.line} (from 0): {shorten_ids(first.reason)}"
        )


def _check_balance(source: Path, checked: CheckedLines, rows: int, rejected: int) -> None:
    if rows + rejected + checked.blank != checked.lines:
        raise RuntimeError(
            f"{source}: {rows} rows + {rejected} rejected + {checked.blank} blank lines are not {checked.lines} lines"
        )
