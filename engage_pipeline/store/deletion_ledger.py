"""Which artifacts predate a deletion: they were made, directly or not, of rows that have been deleted since.

    working_dir/deletions/ledger.json     label → version → date of its first deletion, and the name of its folder

An entry means that this version of this artifact holds deleted rows, or was made of a version that does. Versions are
hashes of the content, so a version remade from clean inputs is clean although it is in the ledger: an artifact is
judged by its inputs. An artifact without inputs is judged by its entry, if its folder is the one entered; so is a model
that keeps predicting instead of a new one. The ledger holds no ids. What does not belong here: finding and removing the
rows (ingest).
"""

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.locations.location import Location, ObjectPath
from engage_pipeline.store.manifests import ABSENT, Manifest, label
from engage_pipeline.store.mirror.ledgers import ledger_name, put_ledger, read_ledgers
from engage_pipeline.store.plan import SEGMENTS
from engage_pipeline.store.store import ArtifactStore

LEDGER = Path("deletions", "ledger.json")
"""The path below working_dir."""


@dataclass(frozen=True)
class Entry:
    """The date when a version was found to hold deleted rows (ISO 8601, UTC), and the name of its folder."""

    date: str
    directory: str


Ledger = dict[str, dict[str, Entry]]


def predating(store: ArtifactStore) -> dict[str, str]:
    """Returns the date of the first deletion that each artifact predates, by label, in the order of the graph.

    Raises UserError if the ledger can't be read.
    """
    ledger = read_ledger(store)
    return _judged(_manifests(store), ledger) if ledger else {}


def enter(store: ArtifactStore, holding: Sequence[Manifest]) -> None:
    """Enters versions that hold deleted rows, and all versions made of them, into the ledger.

    Call it before such a version is replaced: afterwards, what was made of it is unknown. With no versions, it enters
    those made of versions that were entered before.
    """
    with _ledger(store) as (ledger, now):
        for manifest in holding:
            _add(ledger, label(manifest.artifact, manifest.key), manifest.version, Entry(now, manifest.directory))
        if holding:
            _enter_replaced_inputs(store, ledger, now)
        _enter_made(store, ledger)


def enter_replaced_inputs(store: ArtifactStore) -> None:
    """Enters every input that is no longer the current version, and what was made of it; called for new lists.

    Its rows can't be searched any more, so it counts as holding deleted ones.
    """
    with _ledger(store) as (ledger, now):
        _enter_replaced_inputs(store, ledger, now)
        _enter_made(store, ledger)


def read_ledger(store: ArtifactStore) -> Ledger:
    """Reads the ledger; empty if nothing was deleted yet. Raises UserError if it can't be read."""
    path = store.root / LEDGER
    try:
        return _parsed(path.read_bytes(), path)
    except FileNotFoundError:
        return {}


def _parsed(content: bytes, path: Location) -> Ledger:
    try:
        ledger = json.loads(content)
        return {name: {version: Entry(**entry) for version, entry in found.items()} for name, found in ledger.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the ledger of deletions; restore it from a backup") from error


def _content(ledger: Ledger) -> bytes:
    content = {name: {version: asdict(one) for version, one in found.items()} for name, found in ledger.items()}
    return json.dumps(content, indent=1, sort_keys=True).encode()


def follow_ledgers(store: ArtifactStore, names: Set[str]) -> None:
    """Adds the entries of the mirror's ledgers, whose `names` are known. Raises UserError if one can't be read."""
    mirror = store.settings.mirror
    if mirror is not None and not names <= {ledger_name(_content(read_ledger(store)))}:
        with _locked_ledger(store) as ledger:
            _merge(ledger, read_ledgers(mirror, names), mirror)


def _merge(ledger: Ledger, others: Mapping[str, bytes], mirror: ObjectPath) -> None:
    """Adds the entries of other ledgers, by name. Of two entries of a version, the earlier date and the other's folder
    are kept."""
    for name, content in others.items():
        for made, versions in _parsed(content, mirror / name).items():
            for version, entry in versions.items():
                before = ledger.setdefault(made, {}).setdefault(version, entry)
                ledger[made][version] = Entry(min(entry.date, before.date), entry.directory)


def _manifests(store: ArtifactStore) -> dict[str, Manifest]:
    """Returns the current manifests of all artifacts and parts, by label, inputs first, without damaged ones."""
    found = {}
    for name in (name for names in SEGMENTS for name in names):
        for key in store.keys_on_disk(name):
            manifest = None
            with suppress(UserError):
                manifest = store.manifest(name, key)
            if manifest is not None:
                found[label(name, key)] = manifest
    return found


def _judged(manifests: Mapping[str, Manifest], ledger: Ledger) -> dict[str, str]:
    """Returns the first deletion date that each current version predates, by label; others are left out."""
    found: dict[str, str] = {}
    for name, manifest in manifests.items():
        dates = list(_input_dates(manifest, manifests, ledger, found))
        own = ledger.get(name, {}).get(manifest.version)
        same_folder = own is not None and not manifest.inputs and own.directory == manifest.directory
        if own is not None and (same_folder or _carried_over(manifest)):
            dates.append(own.date)
        if dates:
            found[name] = min(dates)
    return found


def _carried_over(manifest: Manifest) -> bool:
    """Returns whether a version has the content of an earlier one instead of its inputs': a model that was kept."""
    return ARTIFACTS[manifest.artifact].kept_setting is not None and manifest.version not in manifest.inputs.values()


def _input_dates(
    manifest: Manifest, manifests: Mapping[str, Manifest], ledger: Ledger, found: Mapping[str, str]
) -> Iterator[str]:
    """Yields the deletion dates that the inputs of a version predate."""
    for name, version in manifest.inputs.items():
        current = manifests.get(name)
        if current is not None and current.version == version:
            if name in found:
                yield found[name]
        elif (entry := ledger.get(name, {}).get(version)) is not None:
            yield entry.date


def _enter_replaced_inputs(store: ArtifactStore, ledger: Ledger, now: str) -> None:
    manifests = _manifests(store)
    for manifest in [*manifests.values(), *_kept(store)]:
        for name, version in manifest.inputs.items():
            current = manifests.get(name)
            if version != ABSENT and (current is None or current.version != version):
                _add(ledger, name, version, Entry(now, ""))


def _enter_made(store: ArtifactStore, ledger: Ledger) -> None:
    """Enters what was made of entered versions: current versions, and kept earlier ones."""
    manifests = _manifests(store)
    judged = _judged(manifests, ledger)
    for name, date in judged.items():
        _add(ledger, name, manifests[name].version, Entry(date, manifests[name].directory))
    for manifest in _kept(store):
        dates = list(_input_dates(manifest, manifests, ledger, judged))
        if dates:
            _add(ledger, manifest.artifact, manifest.version, Entry(min(dates), manifest.directory))


def _kept(store: ArtifactStore) -> Iterator[Manifest]:
    for name, artifact in ARTIFACTS.items():
        if artifact.kept_setting is not None:
            yield from (version.manifest for version in store.kept(name))


def _add(ledger: Ledger, name: str, version: str, entry: Entry) -> None:
    """Adds an entry. If the version has one, its first date is kept, with the new folder."""
    before = ledger.setdefault(name, {}).get(version)
    ledger[name][version] = Entry(before.date if before else entry.date, entry.directory)


@contextmanager
def _ledger(store: ArtifactStore) -> Iterator[tuple[Ledger, str]]:
    """Opens the ledger for adding, with the current time; waits for the lock, writes the ledger after the block, and
    sends it to the mirror."""
    mirror = store.settings.mirror
    with _locked_ledger(store) as ledger:
        others = read_ledgers(mirror) if mirror is not None else {}
        if mirror is not None:
            _merge(ledger, others, mirror)
        yield ledger, datetime.now(UTC).isoformat(timespec="seconds")
        if mirror is not None and ledger:
            put_ledger(mirror, _content(ledger), others.keys())


@contextmanager
def _locked_ledger(store: ArtifactStore) -> Iterator[Ledger]:
    path = store.root / LEDGER
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for leftover in path.parent.glob(".tmp-*"):
            leftover.unlink()
        ledger = read_ledger(store)
        yield ledger
        with atomic.atomic_file(path) as draft:
            draft.write_bytes(_content(ledger))
