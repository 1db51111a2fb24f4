"""The mirror of the store: each published version once more in an object store, the setting `mirror`.

A working directory follows the mirror: it takes over what another machine committed. After a publication the files are
sent, then the commit. Files are fetched when a version is opened (store.versions). What does not belong here: the names
of objects (commits, files).
"""

import fcntl
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.locations.objects import read_object
from engage_pipeline.plurals import counted
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.mirror import commits, files
from engage_pipeline.store.mirror.state import (
    NOTHING,
    Commit,
    Record,
    State,
    put_in_place,
    read_record,
    read_state,
    state_of,
    write_record,
)
from engage_pipeline.store.publishing import MANIFEST

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

    def follow(self, read: Commit | None = None) -> None:
        """Takes over the last commit, unless the folder has it; `read` is the last one of a moment ago."""
        if read is not None and commits.is_older(read.name, self.record().commit):
            read = None  # this folder made or followed a later one meanwhile, or that is gone
        head = self._head() if read is None else read.name
        if head is None:
            if self.record().commit is not None:  # the mirror was emptied: it gets all once more
                self._note_lost(None)
        elif not self._has(head):
            self._take_over(self._read(head) if read is None else read)

    def follow_unless_locked(self, head: str | None = None) -> None:
        """Does so with a lock of its own, if no other process has it: that process follows by itself.

        The commit, `head` if it is known, is read before: who makes the artifact waits for no request of a reader.
        """
        head = head or self._head()
        if head is not None and self._has(head):
            return
        read = None if head is None else self._read(head)
        with self.locked() as free:
            if free:
                self.follow(read)

    def _head(self) -> str | None:
        return commits.last_commit(commits.list_commits(self.log))

    def follows(self, head: str) -> bool:
        """Returns whether the folder has taken over the commit `head`, without reading its manifest."""
        record = self.record()
        return record.commit == head and (record.state == NOTHING.digest or (self.folder / MANIFEST).is_file())

    def _has(self, head: str) -> bool:
        """Returns whether the folder has taken over the commit `head`, and its manifest is undamaged."""
        return self.follows(head) and (self.record().state == NOTHING.digest or state_of(self.folder) is not None)

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

    def _read(self, head: str) -> Commit:
        """Reads the commit `head`; the last one if that was replaced, and removed, meanwhile."""
        try:
            return self._read_one(head)
        except UserError:
            later = self._head()
            if later in {None, head}:
                raise
            return self._read_one(str(later))

    def _read_one(self, name: str) -> Commit:
        source = self.log / name
        try:
            return Commit(name, read_state(read_object(source), self.folder))
        except ValueError as error:
            raise UserError(f"{source}: damaged: not a commit of {self.place}") from error

    def _take_over(self, commit: Commit) -> bool:
        """Makes the state of a commit that of the folder; its files are fetched later.

        Returns False if the folder keeps its own: a later commit, which it has, is gone from the mirror.
        """
        own, record, state = state_of(self.folder), self.record(), commit.state
        older = commits.is_older(commit.name, record.commit)
        if older and own is not None and not state.is_younger(own):
            LOGGER.warning("%s: %s is gone from %s: what is here is sent again", self.place, record.commit, self.mirror)
            self._note_lost(commit.name)
            return False
        expected = not older and (own is None or own.digest in {record.state, state.digest})
        if not expected and (own or NOTHING).version != state.version:
            LOGGER.warning("%s: %s published another version, which is used from now on", self.place, self.mirror)
        put_in_place(self.folder, state)
        write_record(self.folder, Record(str(self.mirror), commit.name, state.digest))
        return True

    def _note_lost(self, head: str | None) -> None:
        """Notes that the last commit is `head` now, which is before the one that this folder has: it is to be sent."""
        record = self.record()
        write_record(self.folder, replace(record, commit=head, state=None, lost=record.last))

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

        def commit(seen: commits.Seen) -> bool:
            record = self.record()
            if seen.head not in {None, record.commit}:
                return self._give_way(state, str(seen.head))
            if files.lacks(self.versions, state.versions):
                return False
            self._commit(state, record, seen.names)
            return True

        self._alone(commit, lambda: files.send_missing(self.folder, self.versions, state.versions))

    def remove_unnamed(self) -> None:
        """Removes the folders of versions that the last commit does not name: a killed process left them, or one that
        gave way. What this folder has not sent yet is left to `send`."""
        own, record = state_of(self.folder), self.record()
        if (self.folder / MANIFEST).exists() and (own is None or own.digest != record.state):
            return

        def remove(seen: commits.Seen) -> bool:
            if seen.head == record.commit:
                files.remove_others(self.versions, own.folders if own else ())
            return True

        self._alone(remove)

    def _alone(self, work: Callable[[commits.Seen], bool], prepare: Callable[[], None] = lambda: None) -> None:
        """Calls `prepare`, then `work` below a flag, while no other machine has one, until it returns True."""
        for pause in (*_PAUSES, None):
            prepare()
            with self._flag() as seen:
                if seen.alone and work(seen):
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
            name = commits.put_commit(self.log, record.last, state.to_json())
            names = [*names, name]
            record = replace(record, commit=name, state=state.digest, lost=None, pruned=False)
            write_record(self.folder, record)
        files.remove_others(self.versions, state.folders)
        commits.remove_old(self.log, names)
        write_record(self.folder, replace(record, pruned=True))

    def _give_way(self, own: State, head: str) -> bool:
        """Follows the commit of another machine, and removes what was sent of `own`; returns False if it was no later
        one. Raises UserError unless it has the content of `own`."""
        theirs = self._read(head)
        if not self._take_over(theirs):
            return False
        files.remove_others(self.versions, theirs.state.folders)
        if own.version != theirs.state.version:
            raise UserError(
                f"{self.place}: another machine published it to {self.mirror} meanwhile; its version "
                f"{str(theirs.state.version)[:8]} is used from now on, not {str(own.version)[:8]}"
            )
        return True
