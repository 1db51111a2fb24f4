"""The table of all artifacts: what exists, what it cost, why it is out of date, what predates a deletion."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.ingest.deletions.forgetting import waiting
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.store.deletion_ledger import predating
from engage_pipeline.store.facts import Facts
from engage_pipeline.store.manifests import label
from engage_pipeline.store.plan import SEGMENTS, raw_sources, training_listing
from engage_pipeline.store.staleness import NOT_THERE
from engage_pipeline.store.store import ArtifactStore


def status_table(store: ArtifactStore) -> str:
    """Formats a line per artifact or part: rows, seconds and peak memory of its making, and whether it is current."""
    rows = [("artifact", "rows", "seconds", "peak MB", "state")]
    deletions = _deletions(store)
    for names in SEGMENTS:
        for name in names:
            rows += [_row(store, name, key, deletions) for key in _keys(store, name)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    notes = [deletions[""]] if "" in deletions else []
    try:
        training_listing(store.settings)
    except UserError as error:  # then the table has none of its parts
        notes.append(str(error))
    return "\n".join([*(_line(row, widths) for row in rows), *notes])


def _keys(store: ArtifactStore, name: str) -> Sequence[str | None]:
    """Returns the parts of an artifact, of tweet_parts also the failed ones; [None] for one without parts."""
    if not ARTIFACTS[name].partitioned:
        return [None]
    failed: set[str] = set()
    if name == "tweet_parts":
        with suppress(UserError):  # status_table says it below
            raw = training_listing(store.settings).parts
            failed = {key for key in raw if kept_rejects(store.folder(name, key)).is_file()}
    return sorted({*store.parts(), *failed})


def _deletions(store: ArtifactStore) -> dict[str, str]:
    """Returns notes on deletions, by label; the empty label has the error if they can't be read."""
    try:
        said = {name: f"predates a deletion of {date[:10]}" for name, date in predating(store).items()}
        return said | dict.fromkeys(waiting(store), "deletions not applied yet (engage forget)")
    except UserError as error:
        return {"": str(error)}


def _row(
    store: ArtifactStore, name: str, key: str | None, deletions: Mapping[str, str]
) -> tuple[str, str, str, str, str]:
    try:
        manifest = store.manifest(name, key)
    except UserError as error:
        return (label(name, key), "", "", "", str(error))
    if manifest is None:
        failed = name == "tweet_parts"  # only its failed parts are listed without a version
        return (label(name, key), "", "", "", f"failed: `engage rejects {key}` says why" if failed else NOT_THERE)
    try:
        state = store.stale(name, key, raw_sources(store.settings, name, key)) or "current"
    except UserError as error:
        state = str(error)
    if said := deletions.get(label(name, key)):
        state = f"{state}; {said}"
    facts = Facts.read(manifest)
    count = "" if manifest.rows is None else f"{manifest.rows:,}"
    return (label(name, key), count, f"{facts.seconds:.1f}", f"{facts.peak_mb:,}", state)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *figures, state = row
    padded = [figure.rjust(width) for figure, width in zip(figures, widths[1:-1], strict=True)]
    return "  ".join([first.ljust(widths[0]), *padded, state])
