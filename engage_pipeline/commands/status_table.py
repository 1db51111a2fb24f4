"""The state of all artifacts: what exists, what it cost, why it is out of date, what predates a deletion."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deletions.forgetting import waiting
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.plurals import first_few
from engage_pipeline.store.deletion_ledger import predating
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import label
from engage_pipeline.store.plan import SEGMENTS, parts_with_files, raw_sources, training_listing
from engage_pipeline.store.staleness import NOT_THERE
from engage_pipeline.store.store import ArtifactStore


@dataclass(frozen=True)
class ArtifactState:
    """An artifact, or a part of it, as `engage status` shows it.

    `reason`: why `engage run` would make it again; None if it is current. `seconds` (wall time) and `peak_mb`
    (resident) are those of its making, `created` is its time (ISO 8601, UTC). `deletions`: a note if it holds deleted
    rows. `why`: why there is nothing in it.
    """

    artifact: str
    part: str | None
    reason: str | None
    rows: int | None = None
    seconds: float | None = None
    peak_mb: int | None = None
    version: str | None = None
    created: str | None = None
    deletions: str | None = None
    why: str | None = None

    @property
    def in_words(self) -> str:
        """The last column of the table."""
        nothing = f"nothing in it ({self.why})" if self.why else None
        return "; ".join(filter(None, (self.reason or "current", nothing, self.deletions)))


@dataclass(frozen=True)
class Status:
    """All artifacts and parts in the order of the graph, and problems that hide some of them."""

    artifacts: tuple[ArtifactState, ...]
    notes: tuple[str, ...]


def read_status(store: ArtifactStore) -> Status:
    """Looks at every artifact and part."""
    deletions = _deletions(store)
    states = [_state(store, name, key, deletions) for names in SEGMENTS for name in names for key in _keys(store, name)]
    notes = [deletions[""]] if "" in deletions else []
    try:
        shown = {state.part for state in states}
        notes += [problem for name, problem in training_listing(store.settings).problems.items() if name not in shown]
        notes += _gone(store)
    except UserError as error:  # then the table has none of its parts
        notes.append(str(error))
    return Status(tuple(states), tuple(notes))


def _gone(store: ArtifactStore) -> list[str]:
    """Returns the note on ingested parts whose file is gone; none where a manifest is damaged: its line says so."""
    try:
        gone = store.gone_parts()
    except UserError:
        return []
    there: Collection[str] = ()
    with suppress(UserError):  # the folder is empty
        there = parts_with_files(store.settings) if gone else ()
    names = [name for name in gone if name not in there]
    whose = "its file is" if len(names) == 1 else "their files are"
    return [f"{first_few(names)}: {whose} gone from {store.settings.recsys_data}: left out"] if names else []


def status_table(status: Status) -> str:
    """Formats a line per artifact or part: rows, seconds and peak memory of its making, and whether it is current."""
    rows = [("artifact", "rows", "seconds", "peak MB", "state"), *map(_cells, status.artifacts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join([*(_line(row, widths) for row in rows), *status.notes])


def _keys(store: ArtifactStore, name: str) -> Sequence[str | None]:
    """Returns the parts of an artifact, of tweet_parts all that have a raw file; [None] for one without parts."""
    if not ARTIFACTS[name].partitioned:
        return [None]
    raw: Collection[str] = ()
    with suppress(UserError):  # a note of read_status
        raw = training_listing(store.settings).parts
    try:
        ingested = store.parts()
    except UserError:  # the line of the part says that its manifest is damaged
        return sorted(raw)
    return sorted({*ingested, *raw} if name == "tweet_parts" else ingested)


def _deletions(store: ArtifactStore) -> dict[str, str]:
    """Returns notes on deletions, by label; the empty label has the error if they can't be read."""
    try:
        said = {name: f"predates a deletion of {date[:10]}" for name, date in predating(store).items()}
        return said | dict.fromkeys(waiting(store), "deletions not applied yet (engage forget)")
    except UserError as error:
        return {"": str(error)}


def _state(store: ArtifactStore, name: str, key: str | None, deletions: Mapping[str, str]) -> ArtifactState:
    try:
        manifest = store.manifest(name, key)
    except UserError as error:
        return ArtifactState(name, key, str(error))
    if manifest is None:
        failed = name == "tweet_parts" and kept_rejects(store.folder(name, key)).is_file()
        return ArtifactState(name, key, f"failed: `engage rejects {key}` says why" if failed else NOT_THERE)
    try:
        reason = store.stale(name, key, raw_sources(store.settings, name, key))
    except UserError as error:
        reason = str(error)
    facts = Facts.read(manifest)
    return ArtifactState(
        artifact=name,
        part=key,
        reason=reason,
        rows=manifest.rows,
        seconds=facts.seconds,
        peak_mb=facts.peak_mb,
        version=manifest.version,
        created=manifest.created,
        deletions=deletions.get(label(name, key)),
        why=facts.why,
    )


def _cells(state: ArtifactState) -> tuple[str, str, str, str, str]:
    seconds = "" if state.seconds is None else f"{state.seconds:.1f}"
    rows, peak = ("" if count is None else f"{count:,}" for count in (state.rows, state.peak_mb))
    return (label(state.artifact, state.part), rows, seconds, peak, state.in_words)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *figures, state = row
    padded = [figure.rjust(width) for figure, width in zip(figures, widths[1:-1], strict=True)]
    return "  ".join([first.ljust(widths[0]), *padded, state])
