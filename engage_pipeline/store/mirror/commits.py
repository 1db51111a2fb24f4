"""The commits of one artifact or part in the mirror: which is the last, and how the next one is made alone.

    <mirror>/commits/<stage>/<artifact>[/<part>]/0000000007-5e1c….json    a commit: generation and a random name
    <mirror>/commits/<stage>/<artifact>[/<part>]/5e1c….flag               somebody commits at this moment

Object stores have a conditional put, but not through pyarrow. A flag takes its place: who wants to commit raises a
flag, then lists. Of two who do so at once, the one who lists later sees the flag of the other, so at most one goes on;
both may give way, and try again after a random pause. A flag that is FLAG_SECONDS older than one's own, by the store's
own clock, was left by a killed process and is removed. What does not belong here: what a commit holds (state), when
there is one (mirror).
"""

import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from engage_pipeline.errors import UserError
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline.locations.objects import Listed, list_objects, remove_object, write_object

COMMITS = "commits"
"""The folder of all commits: one listing tells what was published by anybody."""
FLAG_SECONDS = 600
"""Age from which a flag counts as left by a killed process; commits take a second."""
_COMMIT = re.compile(r"(\d{10})-[0-9a-f]{12}\.json")
_FLAG = ".flag"
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Seen:
    """What somebody saw after raising a flag: the names of the commits, and whether nobody else has a flag."""

    names: tuple[str, ...]
    alone: bool

    @property
    def head(self) -> str | None:
        """The last commit; None if there is none."""
        return last_commit(self.names)


def last_commit(names: Collection[str]) -> str | None:
    """Returns the commit of the highest generation; if two have it, the one whose name is last."""
    return max((name for name in names if _COMMIT.fullmatch(name)), default=None)


def is_older(name: str, than: str | None) -> bool:
    """Returns whether the commit `name` is of a lower generation than another."""
    return than is not None and name.partition("-")[0] < than.partition("-")[0]


def last_commits(listed: Iterable[Listed]) -> dict[str, str]:
    """Returns the name of the last commit of every artifact and part, by the path of its folder, from a listing of
    COMMITS."""
    found: dict[str, str] = {}
    for one in listed:
        place, _, name = one.key.rpartition("/")
        # An object of no bytes is still being made, in stores that show such ones.
        if one.bytes and _COMMIT.fullmatch(name):
            found[place] = max(found.get(place, ""), name)
    return found


def list_commits(folder: ObjectPath) -> list[str]:
    """Returns the names of the commits in `folder`, the oldest first. Raises UserError."""
    return sorted(one.key for one in list_objects(folder) if one.bytes and _COMMIT.fullmatch(one.key))


def put_commit(folder: ObjectPath, base: str | None, content: bytes) -> str:
    """Makes the commit after `base` in `folder`; returns its name. Call it alone, below a flag. Raises UserError."""
    generation = int(base.partition("-")[0]) + 1 if base else 1
    name = f"{generation:010d}-{uuid.uuid4().hex[:12]}.json"
    write_object(folder / name, content)
    return name


def remove_old(folder: ObjectPath, names: Collection[str]) -> None:
    """Removes all commits but the last two: a reader may just have learned of the one before. Raises UserError."""
    for name in sorted(names)[:-2]:
        remove_object(folder / name)


@contextmanager
def raised_flag(folder: ObjectPath, left: str | None, note: Callable[[str | None], None]) -> Iterator[Seen]:
    """Raises a flag in `folder`, lowers it after the block, and yields what was seen in between.

    `left` is the flag that an earlier process of this working directory may have left. `note` is called with the name
    of the flag before it is raised, and with None when it is lowered. Raises UserError if the store can't be reached.
    """
    if left is not None:
        remove_object(folder / left)
    name = f"{uuid.uuid4().hex[:12]}{_FLAG}"
    note(name)
    write_object(folder / name, b"\n")
    try:
        yield _seen(folder, name)
    except BaseException:
        with suppress(UserError):  # then the next who locks this folder lowers it
            remove_object(folder / name)
            note(None)
        raise
    remove_object(folder / name)
    note(None)


def _seen(folder: ObjectPath, own: str) -> Seen:
    listed = list_objects(folder)
    raised = max((one.mtime_ns for one in listed if one.key == own), default=0)
    alone = True
    for one in (one for one in listed if one.key.endswith(_FLAG) and one.key != own):
        if _is_dead(one, raised):
            remove_object(folder / one.key)
        else:
            alone = False
    return Seen(tuple(one.key for one in listed if one.bytes and _COMMIT.fullmatch(one.key)), alone)


def _is_dead(flag: Listed, now_ns: int) -> bool:
    return now_ns - flag.mtime_ns > FLAG_SECONDS * _SECOND
