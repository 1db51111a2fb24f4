"""Which artifacts still predate a deletion: were made, directly or not, of rows that have been deleted since.

    working_dir/deletions.json     label → version → when what was deleted from it, and where that version lay

An entry says that this version of this artifact holds deleted rows, or was made of a version that does. Versions are
hashes of the content, so a version that is made again of clean inputs is clean although it is in the ledger: an
artifact is judged by its inputs, and by its entry only if it is the very folder that was entered. The ledger holds no
ids. What does not belong here: finding and removing the rows (ingest).
"""

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from engage_pipeline import files
from engage_pipeline.artifacts import ArtifactStore
from engage_pipeline.errors import UserError
from engage_pipeline.manifests import Manifest, label
from engage_pipeline.plan import SEGMENTS
from engage_pipeline.rewriting import keys_on_disk

LEDGER = "deletions.json"


@dataclass(frozen=True)
class Entry:
    """When a version was found to hold deleted rows (ISO 8601, UTC), and the name of its folder."""

    date: str
    directory: str


Ledger = dict[str, dict[str, Entry]]


def predating(store: ArtifactStore) -> dict[str, str]:
    """The artifacts that predate a deletion, by label, in the order of the graph, with the first such deletion's date.

    Raises UserError where the ledger or a manifest can't be read.
    """
    ledger = read_ledger(store)
    return _judged(_manifests(store), ledger) if ledger else {}


def enter(store: ArtifactStore, holding: Iterable[Manifest]) -> None:
    """Enters versions that hold deleted rows, and whatever was made of them, into the ledger.

    To be called before such a version is replaced: afterwards nothing tells any more what was made of it.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with _locked(store.root):
        ledger = read_ledger(store)
        for manifest in holding:
            _add(ledger, manifest, now)
        manifests = _manifests(store)
        for name, date in _judged(manifests, ledger).items():
            _add(ledger, manifests[name], date)
        _enter_kept(store, ledger, manifests)
        with files.atomic_file(store.root / LEDGER) as path:
            entries = {
                name: {version: asdict(entry) for version, entry in found.items()} for name, found in ledger.items()
            }
            path.write_text(json.dumps(entries, indent=1, sort_keys=True), encoding="utf-8")


def read_ledger(store: ArtifactStore) -> Ledger:
    """The ledger; empty where nothing was deleted yet. Raises UserError where it can't be read."""
    path = store.root / LEDGER
    try:
        content = json.loads(path.read_bytes())
        return {name: {version: Entry(**entry) for version, entry in found.items()} for name, found in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the ledger of deletions; restore it from a backup") from error


def _manifests(store: ArtifactStore) -> dict[str, Manifest]:
    """The current manifest of every artifact and part there is, by label, inputs first."""
    found = {}
    for name in (name for names in SEGMENTS for name in names):
        for key in keys_on_disk(store, name):
            manifest = store.manifest(name, key)
            if manifest is not None:
                found[label(name, key)] = manifest
    return found


def _judged(manifests: Mapping[str, Manifest], ledger: Ledger) -> dict[str, str]:
    """The first date that each current version predates, by label, for those that predate one."""
    found: dict[str, str] = {}
    for name, manifest in manifests.items():
        own = ledger.get(name, {}).get(manifest.version)
        dates = [own.date] if own is not None and own.directory == manifest.directory else []
        dates += _input_dates(manifest, manifests, ledger, found)
        if dates:
            found[name] = min(dates)
    return found


def _input_dates(
    manifest: Manifest, manifests: Mapping[str, Manifest], ledger: Ledger, found: Mapping[str, str]
) -> Iterator[str]:
    """The dates that the inputs of a version predate."""
    for name, version in manifest.inputs.items():
        current = manifests.get(name)
        if current is not None and current.version == version:
            if name in found:
                yield found[name]
        elif (entry := ledger.get(name, {}).get(version)) is not None:
            yield entry.date


def _enter_kept(store: ArtifactStore, ledger: Ledger, manifests: Mapping[str, Manifest]) -> None:
    """Earlier versions that one may return to."""
    judged = _judged(manifests, ledger)
    for name in {manifest.artifact for manifest in manifests.values() if manifest.key is None}:
        for version in store.kept(name):
            dates = list(_input_dates(version.manifest, manifests, ledger, judged))
            if dates:
                _add(ledger, version.manifest, min(dates))


def _add(ledger: Ledger, manifest: Manifest, date: str) -> None:
    """Adds an entry, unless the version is entered: the first deletion counts."""
    found = ledger.setdefault(label(manifest.artifact, manifest.key), {})
    before = found.get(manifest.version)
    found[manifest.version] = Entry(before.date if before else date, manifest.directory)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Waits for its turn to change the ledger: a moment."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{LEDGER}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
