"""What a decision about the raw parts rests on, and what it consists of: facts alone, no rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from engage_pipeline.files.atomic import SourceFile
from engage_pipeline.ingest.watch.cursor import Cursor


@dataclass(frozen=True)
class Observed:
    """A part's file as it is now; `sha256` where its content was read, unchanged from first byte to last."""

    file: str
    bytes: int
    mtime_ns: int
    sha256: str | None = None


@dataclass(frozen=True)
class Stored:
    """The version of a part that is in the store: the raw file it was made of, and its folder, a name used once."""

    source: SourceFile
    directory: str


@dataclass(frozen=True)
class Situation:
    """All but the files that the decision rests on.

    `folder` is where the parts lie, as the store writes it; `present` are the names of all its parts, also of those
    beyond `max_n_parts` or with a problem; `registered` are the partitions in their order; `busy` are the parts of
    unfinished runs; `lost` are run keys of which no run came. `now` is in Unix seconds.
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
    """How far a part has come, in the words of the report."""

    INGESTED = "ingested"
    DUE = "to be ingested now"
    BUSY = "being ingested"
    UNSTABLE = "new or still being written"
    UNREAD = "still to be read"
    UNMADE = "requested but not ingested (see the run, mend the cause and retry it)"


@dataclass(frozen=True)
class PartRun:
    """One run: neighbouring partitions, in order. Two requests with one `run_key` would be the same request."""

    parts: tuple[str, ...]
    run_key: str


@dataclass(frozen=True)
class Decision:
    """What is to be done: partitions to add, sorted; runs to request; parts whose file is gone, the newly gone ones
    apart; the state of each part that is there; and what to remember."""

    register: tuple[str, ...]
    runs: tuple[PartRun, ...]
    vanished: tuple[str, ...]
    newly_vanished: tuple[str, ...]
    states: Mapping[str, State]
    cursor: Cursor
