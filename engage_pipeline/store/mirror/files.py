"""The files of versions in the mirror: fetches, sends and removes them.

    <mirror>/<stage>/<artifact>[/<part>]/<version>-<random>/<file>     as below working_dir

A file is sent once and never changed. A fetched file is used only if its SHA-256 is that of the manifest. What does not
belong here: which versions are current (commits).
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.locations.objects import list_names, list_objects, remove_all
from engage_pipeline.store.manifests import Manifest, label

_BLOCK = 8 << 20


def fetch_file(source: ObjectPath, target: Path, expected: atomic.Fingerprint) -> None:
    """Puts the object `source` at the path `target`, whole or not at all.

    Raises UserError naming the object if it is missing or is not what the manifest says, and naming the path if it
    can't be written.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with atomic.atomic_file(target) as draft:
            with source.open() as reader, draft.open("wb") as writer:
                while block := reader.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    writer.write(block)
            if size != expected.bytes:
                raise UserError(f"{source}: damaged: {size} bytes instead of {expected.bytes}")
            if digest.hexdigest() != expected.sha256:
                raise UserError(f"{source}: damaged: its SHA-256 differs from the manifest's")
    except OSError as error:
        raise UserError(f"{target}: {error.strerror or error}") from error
    atomic.note_undamaged(target, expected)


def send_missing(folder: Path, mirrored: ObjectPath, versions: Sequence[Manifest]) -> None:
    """Sends those files of `versions` that the mirror lacks; `folder` is the artifact's on this machine.

    Raises UserError if a file is missing or damaged here, or if it can't be sent.
    """
    there = {one.key: one.bytes for one in list_objects(mirrored)}
    for manifest in versions:
        for name, mark in manifest.files.items():
            key = f"{manifest.directory}/{name}"
            if there.get(key) == mark.bytes:
                continue
            path = folder / manifest.directory / name
            if problem := atomic.damage(path, mark):
                made = label(manifest.artifact, manifest.key)
                raise UserError(f"{path}: {problem}, and {mirrored} lacks it; materialize {made} again")
            (mirrored / key).upload(path)


def send_lost(folder: Path, mirrored: ObjectPath, versions: Sequence[Manifest], there: Mapping[str, int]) -> int:
    """Sends files of `versions` that are whole here and gone from the mirror; returns their number.

    `there` are the sizes of the objects in the mirrored folder, by key. Raises UserError if one can't be sent.
    """
    sent = 0
    for manifest in versions:
        for name, mark in manifest.files.items():
            key = f"{manifest.directory}/{name}"
            if there.get(key) != mark.bytes and atomic.damage(folder / key, mark) is None:
                (mirrored / key).upload(folder / key)
                sent += 1
    return sent


def lacks(mirrored: ObjectPath, versions: Sequence[Manifest]) -> bool:
    """Returns whether the mirror lacks a file of `versions`. Raises UserError if it can't be reached."""
    there = {one.key: one.bytes for one in list_objects(mirrored)}
    return any(
        there.get(f"{manifest.directory}/{name}") != mark.bytes
        for manifest in versions
        for name, mark in manifest.files.items()
    )


def remove_others(mirrored: ObjectPath, kept: Collection[str]) -> None:
    """Removes all version folders of an artifact but `kept`. Raises UserError if the mirror can't be reached.

    Call it alone, below a flag: another machine may be sending a version. It looks for its files once more below its
    own flag, before it commits, and sends those that were removed again.
    """
    for name in list_names(mirrored).difference(kept):
        remove_all(mirrored / name)
