"""A part that fails because of rejected lines: the message, and the lines that are kept for inspection.

    <folder of the artifact>/failed-rejects.parquet    the first rejected lines of the last failed attempt

A successful ingest removes the file. What does not belong here: when a part fails (reject_limit, part_ingest).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.ingest.rejects import Reject, RejectTally
from engage_pipeline.locations.location import Location

KEPT_REJECTS = "failed-rejects.parquet"
KEPT_LINES, KEPT_BYTES = 10_000, 16 << 20
"""At most this many of the first lines are kept, and only up to the line that exceeds this many bytes."""


@dataclass(frozen=True)
class FailedPart:
    """The figures of a failed part.

    `setting`: ingest.max_rejected_share, None if it allows the rejected lines, but no row is left. `lines`: all lines
    of the part. `tally`: all rejected lines seen; `first`: the first of them by line number. `stopped`: reading ended
    before the end of the part.
    """

    part: Location
    setting: float | None
    lines: int
    tally: RejectTally
    first: RejectTally
    stopped: bool


def kept_rejects(folder: Path) -> Path:
    """Returns the path of a failed part's rejected lines in the folder of its artifact."""
    return folder / KEPT_REJECTS


def bounded(rejects: Iterator[Reject]) -> Iterator[Reject]:
    """Yields the first rejects, within KEPT_LINES and KEPT_BYTES."""
    size = 0
    for reject in islice(rejects, KEPT_LINES):
        yield reject
        size += len(reject.raw)
        if size > KEPT_BYTES:
            return


def keep(rejects: Path, kept: Path) -> None:
    """Moves the file of rejected lines to where it is kept, whole or not at all."""
    with atomic.atomic_file(kept) as temporary:
        rejects.replace(temporary)


def failure(failed: FailedPart, kept: Path | None) -> UserError:
    """Makes the error on the part: rejected lines by kind and the first five. `kept` is the file that keeps them."""
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in failed.tally.reasons.most_common())
    first, *others = (example.words() for example in failed.first.examples)
    more = f"; then {'; '.join(others)}" if others else ""
    return UserError(
        f"{failed.part}: {_count(failed, kinds)}; the first is {first}{more}{_what_to_do(failed, kept)}",
        {"reasons": dict(sorted(failed.tally.reasons.items())), "examples": failed.first.shown_examples()},
    )


def _count(failed: FailedPart, kinds: str) -> str:
    rejected = f"{failed.tally.count:,}"
    if failed.setting is None:
        return f"none of its {failed.lines:,} lines is an interaction: {rejected} can't be read ({kinds})"
    count = f"{'at least ' if failed.stopped else ''}{rejected} of {failed.lines:,} lines"
    return f"{count} can't be read ({kinds}), more than ingest.max_rejected_share = {failed.setting:g}"


def _what_to_do(failed: FailedPart, kept: Path | None) -> str:
    if kept:
        return f"; see engage rejects {kept.parent.name}"
    return "" if failed.setting is None else "; --set ingest.max_rejected_share=1 reads the other lines"
