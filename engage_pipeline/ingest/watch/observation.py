"""Reads what the watch over the raw parts decides on: files, their content, and the parts in the store.

What does not belong here: the decision (decision).
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engage_pipeline.errors import UserError
from engage_pipeline.ingest.watch.situation import Observed, Stored
from engage_pipeline.locations.location import Location, fresh
from engage_pipeline.progress import progress
from engage_pipeline.store.store import ArtifactStore

_BLOCK = 1 << 23


@dataclass
class _Unfinished:
    identity: tuple[int, int, int]
    offset: int
    digest: Any


class ContentReader:
    """Computes the SHA-256 of files within a time limit per look; the next look resumes where this one stopped.

    So a look ends soon however large the files are. The progress is kept in memory: a new process starts a file anew.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Limits each look to `seconds` of `clock`, but reads at least one block of 8 MiB."""
        self._seconds = seconds
        self._clock = clock
        self._unfinished: dict[Location, _Unfinished] = {}

    def read(self, paths: Mapping[str, Location], names: Sequence[str]) -> tuple[dict[str, Observed], dict[str, str]]:
        """Returns the parts of `names` that were read to their end, and why others can't be read, by part name.

        A file that changed while it was read is returned without its hash.
        """
        deadline = self._clock() + self._seconds
        done: dict[str, Observed] = {}
        problems: dict[str, str] = {}
        with progress("new parts: content", None, "bytes") as tracker:
            for name in names:
                path = fresh(paths[name])
                try:
                    before = look(path)
                    sha256 = self._sha256(path, deadline, tracker.advance)
                    if sha256 is None:
                        break
                    after = look(path)
                except OSError as error:
                    problems[name] = f"{path}: {error.strerror}"
                except UserError as error:
                    problems[name] = str(error)
                else:
                    done[name] = replace(after, sha256=sha256) if after == before else after
        return done, problems

    def _sha256(self, path: Location, deadline: float, advance: Callable[[int], object]) -> str | None:
        with path.open("rb") as file:
            status = _status(path)
            state = self._unfinished.pop(path, None)
            if state is None or state.identity != status:
                state = _Unfinished(status, 0, hashlib.sha256())
            file.seek(state.offset)
            # Read up to the size at the start: a file that grows meanwhile would have no end.
            while block := file.read(min(_BLOCK, status[1] - state.offset)):
                state.digest.update(block)
                state.offset += len(block)
                advance(len(block))
                if self._clock() >= deadline:
                    self._unfinished[path] = state
                    return None
            return str(state.digest.hexdigest())


def look(path: Location) -> Observed:
    """Returns the current state of the file. Raises OSError if it can't be read."""
    status = path.stat()
    return Observed(path.name, status.st_size, status.st_mtime_ns)


def look_at_all(paths: Mapping[str, Location]) -> tuple[dict[str, Observed], dict[str, str]]:
    """Returns the current state of the files, and why others can't be looked at, by part name."""
    found: dict[str, Observed] = {}
    problems: dict[str, str] = {}
    for name, path in paths.items():
        try:
            found[name] = look(path)
        except OSError as error:
            problems[name] = f"{path}: {error.strerror}"
    return found, problems


def stored_parts(store: ArtifactStore) -> dict[str, Stored]:
    """Returns the ingested parts of any raw folder, by name. A part with a damaged manifest counts as not ingested."""
    found = {}
    for key in store.keys_on_disk("tweet_parts"):
        try:
            manifest = store.manifest("tweet_parts", key)
        except (UserError, OSError):
            continue
        if manifest is not None and key is not None and manifest.sources:
            found[key] = Stored(manifest.sources[0], manifest.directory)
    return found


def _status(path: Location) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
