"""A part that fails because too many of its lines are rejected: what is told, and which lines are kept to look at.

    <folder of the artifact>/failed-rejects.parquet    the first rejected lines of the attempt that failed last

The file goes when the part is read whole. What does not belong here: when a part fails (reject_limit, part_ingest).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.ingest.rejects import Reject, RejectTally, shorten_ids

KEPT_REJECTS = "failed-rejects.parquet"
KEPT_LINES, KEPT_BYTES = 10_000, 16 << 20
"""The first lines are kept, and no more than so many bytes of them, the last one whole."""
_REASON_CHARACTERS = 160


@dataclass(frozen=True)
class FailedShare:
    """The figures of a part that fails.

    `tally` counts every rejected line that was met, `first` holds the first of them by line. `lines` are all lines of
    the part; with `stopped` the reading ended before its end.
    """

    part: Path
    setting: float
    lines: int
    tally: RejectTally
    first: RejectTally
    stopped: bool


def kept_rejects(folder: Path) -> Path:
    """Where the rejected lines of a failed part lie in the folder of its artifact."""
    return folder / KEPT_REJECTS


def bounded(rejects: Iterator[Reject]) -> Iterator[Reject]:
    """The first of the rejects."""
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


def failure(failed: FailedShare, kept: Path | None) -> UserError:
    """What is told of the part: how many lines of which kinds, and the first five. `kept` is where they can be read."""
    count = f"{'at least ' if failed.stopped else ''}{failed.tally.count:,} of {failed.lines:,} lines"
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in failed.tally.reasons.most_common())
    first, *others = (
        f"line {example.line} (from 0): {shorten_ids(example.reason)[:_REASON_CHARACTERS]}"
        for example in failed.first.examples
    )
    more = f"; then {'; '.join(others)}" if others else ""
    see = f"; see engage rejects {kept.parent.name}" if kept else ""
    return UserError(
        f"{failed.part}: {count} can't be read ({kinds}), more than ingest.max_rejected_share = {failed.setting:g}; "
        f"the first is {first}{more}{see}",
        {"reasons": dict(sorted(failed.tally.reasons.items())), "examples": failed.first.shown_examples()},
    )
