"""The mirror of the store: each published version once more in an object store, the setting `mirror`.

A working directory follows the mirror: it takes over what another machine committed. After a publication the files are
sent, then the commit. Files are fetched when a version is opened (store.versions). What does not belong here: the names
of objects (commits, files).
"""

import fcntl
import logging
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.locations.objects import read_object
from engage_pipeline.plurals import counted
from engage_pipeline.store import current_link, kept_versions
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.mirror import commits, files
from engage_pipeline.store.mirror.state import (
    NOTHING,
    Record,
    State,
    read_record,
    read_state,
    state_of,
    write_record,
)
from engage_pipeline.store.publishing import MANIFEST, write_manifest

LOGGER = logging.getLogger("engage_pipeline")
_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds to wait, at most, while another machine commits the same artifact."""


@dataclass(frozen=True)
class MirroredFolder:
    """The folder of an artifact or part, `folder`, and its copy below the URI `mirror`; `place` is the path of both.

    Its methods need the lock of the folder, and raise UserError if the mirror can't be reached.
    """

    mirror: ObjectPath
    folder: Path
    place: str

    @property
    def log(self) -> ObjectPath:
        """Where the commits are."""
        return self.mirror / commits.COMMITS / self.place

    @property
    def versions(self) -> ObjectPath:
        """Where the folders of versions are."""
        return self.mirror / self.place

    def record(self) -> Record:
        """Returns what this folder knows of the mirror."""
        return read_record(self.folder, str(self.mirror))

    def follow(self, head: str | None = None) -> None:
        """Takes over the last commit, `head` if it is known, unless the folder has it."""
        head = head or self._head()
        if head is None:
            if self.record().commit is not None:  # the mirror was emptied: it gets all once more
                write_record(self.folder, Record(str(self.mirror)))
            return
        if self.follows(head) and self._is_readable():
            return
        try:
            self._take_over(head)
        except UserError:
            later = self._head()
            if later in {None, head}:
                raise
            self._take_over(str(later))  # the commit was replaced, and removed, meanwhile

    def follow_unless_locked(self, head: str | None = None) -> None:
        """Does so with a lock of its own, if no other process has it: that process follows by itself."""
        with self.locked() as free:
            if free:
                self.follow(head)

    def _head(self) -> str | None:
        return commits.last_commit(commits.list_commits(self.log))

    def follows(self, head: str) -> bool:
        """Returns whether the folder has taken over the commit `head`, without reading its manifest."""
        record = self.record()
        return record.commit == head and (record.state == NOTHING.digest or (self.folder / MANIFEST).is_file())

    def _is_readable(self) -> bool:
        return self.record().state == NOTHING.digest or state_of(self.folder) is not None

    def repaired(self) -> Manifest | None:
        """Takes over the last commit if the manifest here is damaged; returns its manifest, None if that fails."""
        with suppress(UserError):
            self.follow_unless_locked()
            state = state_of(self.folder)
            return state.manifest if state else None
        return None

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Locks the folder for the block, if no other process has; yields whether it did."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _take_over(self, head: str) -> State:
        """Makes the state of a commit that of the folder; its files are fetched later."""
        source = self.log / head
        try:
            state = read_state(read_object(source), self.folder)
        except ValueError as error:
            raise UserError(f"{source}: damaged: not a commit of {self.place}") from error
        own, record = state_of(self.folder), self.record()
        if own is not None and own.digest not in {record.state, state.digest}:
            theirs = state.manifest.version if state.manifest else "nothing"
            if own.manifest is not None and own.manifest.version != theirs:
                LOGGER.warning("%s: %s published another version, which is used from now on", self.place, self.mirror)
        _put_in_place(self.folder, state)
        write_record(self.folder, Record(str(self.mirror), head, state.digest))
        return state

    def is_sent(self, head: str | None) -> bool:
        """Returns whether the mirror, whose last commit is `head`, has the state of this folder."""
        own, record = state_of(self.folder), self.record()
        return own is None or (own.digest == record.state and record.pruned and record.commit == head)

    def send_lost(self, there: Mapping[str, int]) -> None:
        """Sends files that are whole here and gone from the mirror; `there` are the sizes of its objects, by key below
        `versions`. It needs no lock: a file never changes, and has one name."""
        own = state_of(self.folder)
        if own is None or own.digest != self.record().state:
            return
        if sent := files.send_lost(self.folder, self.versions, own.versions, there):
            LOGGER.warning("%s: sent %s that were gone from %s", self.place, counted(sent, "file"), self.mirror)

    def send(self) -> None:
        """Makes the state of this folder that of the mirror: files first, then the commit; then removes old versions.

        Raises UserError if another machine has committed since this folder followed; the folder follows it then.
        """
        state = state_of(self.folder)
        if state is None and self.record().commit is not None and not (self.folder / MANIFEST).exists():
            state = NOTHING
        if state is None or (state.digest == self.record().state and self.record().pruned):
            return
        for pause in (*_PAUSES, None):
            files.send_missing(self.folder, self.versions, state.versions)
            with self._flag() as seen:
                record = self.record()
                if seen.alone and seen.head not in {None, record.commit}:
                    self._give_way(state, str(seen.head))
                    return
                if seen.alone and not files.lacks(self.versions, state.versions):
                    self._commit(state, record, seen.names)
                    return
            if pause is not None:
                time.sleep(pause * secrets.randbelow(1000) / 1000)
        raise UserError(f"{self.place}: another machine is publishing it to {self.mirror}: start again later")

    def _flag(self) -> AbstractContextManager[commits.Seen]:
        def note(name: str | None) -> None:
            write_record(self.folder, replace(self.record(), flag=name))

        return commits.raised_flag(self.log, self.record().flag, note)

    def _commit(self, state: State, record: Record, names: Sequence[str]) -> None:
        if state.digest != record.state:
            name = commits.put_commit(self.log, record.commit, state.to_json())
            names = [*names, name]
            record = replace(record, commit=name, state=state.digest, pruned=False)
            write_record(self.folder, record)
        files.remove_others(self.versions, state.folders)
        commits.remove_old(self.log, names)
        write_record(self.folder, replace(record, pruned=True))

    def _give_way(self, own: State, head: str) -> None:
        """Follows the commit of another machine. Raises UserError unless it has the content of `own`."""
        theirs = self._take_over(head)
        versions = [one.manifest.version if one.manifest else None for one in (own, theirs)]
        if versions[0] != versions[1]:
            raise UserError(
                f"{self.place}: another machine published it to {self.mirror} meanwhile; its version "
                f"{str(versions[1])[:8]} is used from now on, not {str(versions[0])[:8]}"
            )


def _put_in_place(folder: Path, state: State) -> None:
    """Makes `folder` hold `state`, with folders of versions whose files may be missing."""
    kept = {*state.folders, *(one.directory for one in state.versions)}
    for version in state.versions:
        _make_folder(folder, version)
    for name in state.folders:
        (folder / name).mkdir(parents=True, exist_ok=True)
    kept_versions.replace_entries(folder, state.kept)
    if state.manifest is None:
        current_link.point_to(folder, None)
        (folder / MANIFEST).unlink(missing_ok=True)
    elif not _is_current(folder, state.manifest):
        write_manifest(folder, state.manifest)
    for path in folder.iterdir() if folder.is_dir() else []:
        if current_link.is_version_folder(path) and path.name not in kept and not path.name.startswith("."):
            shutil.rmtree(path)


def _is_current(folder: Path, manifest: Manifest) -> bool:
    """Returns whether the folder has this manifest, apart from the verdict, which each machine gives by itself."""
    own = state_of(folder)
    if own is None or own.manifest is None:
        return False
    return replace(own.manifest, verdict=None) == replace(manifest, verdict=None)


def _make_folder(folder: Path, version: Manifest) -> None:
    """Makes the folder of a version; with the files of another one of the same content, if there is one."""
    target = folder / version.directory
    if target.is_dir():
        return
    target.mkdir(parents=True)
    for other in folder.glob(f"{version.version}-*"):
        for name, mark in version.files.items():
            if atomic.damage(other / name, mark, hashed=False) is None and not (target / name).exists():
                (target / name).hardlink_to(other / name)
