"""The inputs and the result of a decision about the raw parts: data only, no rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engage_pipeline.files.atomic import SourceFile
from engage_pipeline.ingest.watch.cursor import Cursor


@dataclass(frozen=True)
class Observed:
    """The current state of a part's file; `sha256` only if it was read whole without a change meanwhile."""

    file: str
    bytes: int
    mtime_ns: int
    sha256: str | None = None


@dataclass(frozen=True)
class Stored:
    """The stored version of a part: the raw file it was made of, and the name of its folder, which is never reused."""

    source: SourceFile
    directory: str


@dataclass(frozen=True)
class Situation:
    """The inputs of a decision other than the files.

    `folder`: where the parts lie, as the store writes it. `present`: names of all its parts, including those beyond
    `max_n_parts` or with a problem. `registered`: the partitions in their order. `busy`: parts of unfinished runs.
    `lost`: run keys whose run does not exist. `now`: Unix seconds.
    """

    folder: str
    now: float
    stable_seconds: float
    parts_a_run: int
    present: frozenset[str] = frozenset()
    stored: Mapping[str, Stored] = field(default_factory=dict)
    registered: Sequence[str] = ()
    busy: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()


class State(StrEnum):
    """The progress of a part, in the words of the report."""

    INGESTED = "ingested"
    DUE = "to be ingested now"
    BUSY = "being ingested"
    UNSTABLE = "new or still being written"
    UNREAD = "still to be read"
    UNMADE = "requested but not ingested (see the run, fix the cause and retry it)"


@dataclass(frozen=True)
class PartRun:
    """A run over neighbouring partitions, in order. Two requests with the same `run_key` are one request."""

    parts: tuple[str, ...]
    run_key: str


@dataclass(frozen=True)
class WatchDecision:
    """What to do about the raw parts.

    `register`: partitions to add, sorted. `runs`: runs to request. `vanished`: parts whose file is gone;
    `newly_vanished`: those not reported yet. `states`: the state of each part that is present. `cursor`: the memory.
    """

    register: tuple[str, ...]
    runs: tuple[PartRun, ...]
    vanished: tuple[str, ...]
    newly_vanished: tuple[str, ...]
    states: Mapping[str, State]
    cursor: Cursor
