"""Copies of the ledger of deletions in the mirror.

    <mirror>/commits/deletions/<SHA-256>.json       a ledger; who adds an entry merges all of them into one

Entries are only added, so ledgers of several machines are merged without order, and none needs a commit. What does not
belong here: what a ledger holds (store.deletion_ledger).
"""

import hashlib
from collections.abc import Collection, Iterable

from engage_pipeline.errors import StoreError, UserError
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.locations.objects import Listed, list_objects, read_object, remove_object, write_object
from engage_pipeline.store.mirror.commits import COMMITS

_FOLDER = "deletions"
TRIES = 5
"""Reads after which a ledger that is gone is an error."""


def ledger_name(content: bytes) -> str:
    """Returns the name of the object with this ledger."""
    return f"{hashlib.sha256(content).hexdigest()}.json"


def ledger_names(listed: Iterable[Listed]) -> set[str]:
    """Returns the names of the ledgers in a listing of COMMITS."""
    pairs = (one.key.split("/") for one in listed if one.bytes)
    return {pair[-1] for pair in pairs if len(pair) == 2 and pair[0] == _FOLDER}


def read_ledgers(mirror: ObjectPath, names: Collection[str] | None = None) -> dict[str, bytes]:
    """Returns the ledgers of the mirror by name; None = all.

    If one is gone, another machine merged it into a newer one: all are listed and read again, at most TRIES times.
    Raises UserError.
    """
    folder = mirror / f"{COMMITS}/{_FOLDER}"
    for _ in range(TRIES - 1):
        try:
            return _read(folder, names)
        except StoreError:
            raise
        except UserError:
            names = None
    return _read(folder, names)


def _read(folder: ObjectPath, names: Collection[str] | None) -> dict[str, bytes]:
    if names is None:
        names = {one.key for one in list_objects(folder) if one.bytes}
    return {name: read_object(folder / name) for name in sorted(names)}


def put_ledger(mirror: ObjectPath, content: bytes, merged: Collection[str]) -> None:
    """Makes an object of a ledger, and removes those that were `merged` into it. Raises UserError."""
    folder, name = mirror / f"{COMMITS}/{_FOLDER}", ledger_name(content)
    if name not in merged:
        write_object(folder / name, content)
    for other in set(merged) - {name}:
        remove_object(folder / other)
