"""Earlier versions of an artifact that are kept for a rollback, and the removal of the others.

    kept-00000007.json      the manifest of a formerly current version; the higher the number, the later
    last.json               a copy of the current manifest, for when that is damaged or removed

An entry is written before its version stops being the current one, and removed before its folder is. A process killed
in between leaves an entry of the current version, or a folder without an entry; never an entry of a half-removed
folder. A later entry replaces earlier ones of the same content.
"""

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from engage_pipeline.files import atomic
from engage_pipeline.store.current_link import is_version_folder
from engage_pipeline.store.manifests import Manifest, read_manifest

LAST = "last.json"
"""A copy of the current manifest, of artifacts that keep earlier versions."""
_ENTRIES = "kept-*.json"


def remember(folder: Path, manifest: Manifest) -> None:
    """Writes an entry of the current version in `folder`, which is about to be replaced."""
    last = max((_number(path) for path in folder.glob(_ENTRIES)), default=0)
    with atomic.atomic_file(folder / f"kept-{last + 1:08d}.json") as path:
        path.write_text(manifest.to_json(), encoding="utf-8")


def kept_manifests(folder: Path, current: str | None, *, here: bool = True) -> list[Manifest]:
    """Returns the kept versions in `folder`, the latest first, each content once, without that of `current`.

    Unless `here`, those whose folder is missing too.
    """
    return list(_distinct(folder, current, here=here).values())


def copy_current(folder: Path, manifest: Manifest) -> None:
    """Copies the `manifest` of the version that has just become current in `folder`."""
    with atomic.atomic_file(folder / LAST) as path:
        path.write_text(manifest.to_json(), encoding="utf-8")


def last(folder: Path) -> Manifest | None:
    """Returns the copy of the current manifest; None if there is none, it can't be read, or its version is gone."""
    manifest = _readable(folder, folder / LAST)
    return manifest if manifest is not None and (folder / manifest.directory).is_dir() else None


def forget_all(folder: Path, current: Manifest | None) -> None:
    """Removes all entries in `folder`, whose versions are about to be removed, and the copy of another manifest than
    `current`."""
    for path in folder.glob(_ENTRIES):
        path.unlink()
    copy = last(folder)
    if copy is None or current is None or copy.directory != current.directory:
        (folder / LAST).unlink(missing_ok=True)


def forget_old(
    folder: Path, manifest: Manifest, count: int, pinned: Collection[str] = (), *, damaged: bool = False
) -> None:
    """Removes all versions but the `count` latest contents (the current `manifest` included), the versions `pinned`,
    and the one before the current one.

    If the manifest before was `damaged`, no version is removed: which one it named is unknown. The workspace is removed
    in any case: a published artifact no longer needs it.
    """
    found = _distinct(folder, manifest.version)
    entries = dict(list(found.items())[: count - 1])
    entries |= {path: entry for path, entry in found.items() if entry.version in pinned}
    for path in folder.glob(_ENTRIES):
        if path not in entries:
            path.unlink()
    kept = {manifest.directory, manifest.previous} | {entry.directory for entry in entries.values()}
    for path in folder.iterdir():
        is_version = not path.name.startswith(".")
        if is_version_folder(path) and path.name not in kept and not (damaged and is_version):
            shutil.rmtree(path)


def replace_entries(folder: Path, manifests: Sequence[Manifest]) -> None:
    """Makes the entries in `folder` those of `manifests`, the latest first, whose folders are there."""
    if kept_manifests(folder, None) == [*manifests]:
        return
    before = [*folder.glob(_ENTRIES)]
    for manifest in reversed(manifests):
        remember(folder, manifest)
    for path in before:
        path.unlink()


def _distinct(folder: Path, current: str | None, *, here: bool = True) -> dict[Path, Manifest]:
    """Returns the readable entries, the latest first, one per content, without that of `current`; those with a folder
    `here`."""
    found: dict[Path, Manifest] = {}
    seen = {current}
    for path in sorted(folder.glob(_ENTRIES), key=_number, reverse=True):
        manifest = _readable(folder, path)
        if here and manifest is not None and not (folder / manifest.directory).is_dir():
            continue
        if manifest is not None and manifest.version not in seen:
            seen.add(manifest.version)
            found[path] = manifest
    return found


def _readable(folder: Path, path: Path) -> Manifest | None:
    try:
        return read_manifest(path.read_bytes(), folder)
    except (OSError, ValueError):
        return None


def _number(path: Path) -> int:
    digits = path.stem.removeprefix("kept-")
    return int(digits) if digits.isdecimal() else 0
