"""Opens the store of a machine: it follows the mirror first, the setting `mirror`.

    store = open_store(settings)      # what other machines published until now is there
    send_unsent(store)                # what a killed or failed run published here alone is sent

Manifests are fetched at once, files when they are opened. What does not belong here: one artifact or part (mirror).
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import is_key
from engage_pipeline.locations.objects import list_objects
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.deletion_ledger import follow_ledgers
from engage_pipeline.store.manifests import split_label
from engage_pipeline.store.mirror import commits
from engage_pipeline.store.mirror.ledgers import ledger_names
from engage_pipeline.store.mirror.mirror import MirroredFolder
from engage_pipeline.store.mirror.state import state_of
from engage_pipeline.store.store import ArtifactStore

LOGGER = logging.getLogger("engage_pipeline")
_AT_ONCE = 16
"""Commits fetched at once: each is a request that mostly waits."""


def open_store(settings: Settings) -> ArtifactStore:
    """Opens the store and follows the mirror, if there is one. Raises UserError if it can't be reached."""
    store = ArtifactStore(settings)
    follow_mirror(store)
    return store


def follow_mirror(store: ArtifactStore) -> None:
    """Takes over what other machines published. An artifact that another process is making here is left alone, as that
    process follows by itself. Raises UserError if the mirror can't be reached, or a commit is damaged."""
    mirror = store.settings.mirror
    if mirror is None:
        return
    listed = list_objects(mirror / commits.COMMITS)
    heads = commits.last_commits(listed)
    follow_ledgers(store, ledger_names(listed))
    if not heads and not mirror.bucket.is_dir():
        raise UserError(f"{mirror}: no such bucket; the setting mirror names it")
    behind = [(copy, heads[copy.place]) for copy in _folders(store, heads) if not copy.follows(heads[copy.place])]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda one: one[0].follow_unless_locked(one[1]), behind))


def send_unsent(store: ArtifactStore, names: Iterable[str] = ARTIFACTS.keys()) -> None:
    """Sends every version of the artifacts `names` that is published here but not in the mirror, and files that are
    gone from it. Raises UserError if one can't be sent."""
    if store.settings.mirror is None:
        return
    there: defaultdict[str, dict[str, int]] = defaultdict(dict)
    listed = list_objects(store.settings.mirror)
    heads = commits.last_commits(
        replace(one, key=one.key.removeprefix(f"{commits.COMMITS}/"))
        for one in listed
        if one.key.startswith(f"{commits.COMMITS}/")
    )
    for one in listed:
        place, *rest = one.key.rsplit("/", 2)
        there[place]["/".join(rest)] = one.bytes
    for name in names:
        for key in store.keys_on_disk(name):
            copy = store.mirrored(name, key)
            if copy is not None and copy.is_sent(heads.get(copy.place)):
                copy.send_lost(there[copy.place])
            elif copy is not None:
                LOGGER.info("%s: sent to %s, which lacks it", copy.place, copy.mirror)
                with store.changing(name, key):
                    pass


def remove_unnamed(store: ArtifactStore) -> list[str]:
    """Removes versions that were sent to the mirror and that no commit names; returns a line for each place where that
    fails. Raises UserError if the mirror can't be reached."""
    if store.settings.mirror is None:
        return []
    there, problems = defaultdict[str, set[str]](set), list[str]()
    for one in list_objects(store.settings.mirror):
        place, *rest = one.key.rsplit("/", 2)
        there[place].update(rest[:-1])
    for copy in _folders(store, there):
        own = state_of(copy.folder)
        if not there[copy.place] <= {*(own.folders if own else ())}:
            try:
                with store.changing(*split_label(copy.place.partition("/")[2])):
                    copy.remove_unnamed()
            except UserError as error:
                problems.append(str(error))
    return problems


def _folders(store: ArtifactStore, places: Iterable[str]) -> Iterator[MirroredFolder]:
    """Yields the artifacts and parts with these paths; others are of another version of the program."""
    for place in places:
        stage, _, rest = place.partition("/")
        name, key = split_label(rest)
        artifact = ARTIFACTS.get(name)
        if artifact is None or artifact.stage.value != stage or artifact.partitioned != (key is not None):
            continue
        copy = store.mirrored(name, key) if key is None or is_key(key) else None
        if copy is not None:
            yield copy
