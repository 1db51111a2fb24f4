"""Where raw input and the mirror lie: a path of this machine, or an object of a store, named by a URI.

An ObjectPath has the methods of pathlib.Path that readers of raw input use, so that they read either. Credentials and
endpoint come from the environment, as each store's own tools have them (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL …), or from
the query of the URI, as pyarrow.fs has it (`?endpoint_override=…`). What is shown or recorded has neither a query nor a
user. What does not belong here: writing and removing objects of the mirror (objects).
"""

import hashlib
import io
import os
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from engage_pipeline.errors import UserError
from engage_pipeline.locations.object_stores import SCHEMES, ObjectFile, children, file_system, refuse_unreachable, told

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

LISTED_SECONDS = 2.0
"""A listing is asked for again after this time: a plan looks at a folder once for each of its parts."""
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUFFER = 8 << 20
"""Bytes of a request, where an object is read from its beginning to its end."""
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class ObjectStatus:
    """Size in bytes and modification time (ns) of an object, under the names of os.stat_result.

    The time is cut to seconds: stores tell more of it in a listing than of a single object. `st_ino` is a hash of the
    ETag, and 0 in a listing or where the store has none.
    """

    st_size: int
    st_mtime_ns: int
    st_ino: int = 0


@dataclass(frozen=True, order=True, repr=False)
class ObjectPath:
    """An object, or a folder of them, in a store.

    `status` is that of the listing in which the object was found; None = asked for when it is needed. Methods raise
    UserError with URI and reason if the store can't be reached or refuses.
    """

    uri: str
    status: ObjectStatus | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Returns the URI without user, password and query; the user of `abfs` stays, as it is the container."""
        parts = urlsplit(self.uri)
        user, at, host = parts.netloc.rpartition("@")
        container = user.partition(":")[0] + at if parts.scheme.startswith("abfs") else ""
        return f"{parts.scheme}://{container}{host}{unquote(parts.path)}"

    def __repr__(self) -> str:
        """Returns the same, marked as an object."""
        return f"{type(self).__name__}({str(self)!r})"

    def __truediv__(self, name: str) -> "ObjectPath":
        """Returns the object `name` of this folder."""
        return self._at(f"{urlsplit(self.uri).path}/{quote(name)}")

    def _at(self, path: str) -> "ObjectPath":
        return ObjectPath(urlunsplit(urlsplit(self.uri)._replace(path=path)))

    @property
    def name(self) -> str:
        """The last component of the path; empty for a bucket."""
        return PurePosixPath(unquote(urlsplit(self.uri).path)).name

    @property
    def suffix(self) -> str:
        """The ending of the name, such as `.gz`."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "ObjectPath":
        """The folder of the object; a bucket's is the bucket."""
        return self._at(urlsplit(self.uri).path.rpartition("/")[0])

    @property
    def _root(self) -> str:
        """The URI without path: what the file system depends on."""
        return urlunsplit(urlsplit(self.uri)._replace(path=""))

    @property
    def bucket(self) -> "ObjectPath":
        """The topmost folder."""
        return self._at("")

    def with_name(self, name: str) -> "ObjectPath":
        """Returns the object `name` of the same folder."""
        return self.parent / name

    def resolve(self) -> "ObjectPath":
        """Returns the object itself: a store has no links."""
        return self

    def is_file(self) -> bool:
        """Returns whether this is an object."""
        return self.status is not None or bool(self._info().is_file)

    def is_dir(self) -> bool:
        """Returns whether this is a bucket, or a prefix of objects."""
        from pyarrow.fs import FileType

        return self.status is None and (_still_listed(self) is not None or self._info().type == FileType.Directory)

    def exists(self) -> bool:
        """Returns whether this is an object or a folder."""
        from pyarrow.fs import FileType

        if self.status is not None or _still_listed(self) is not None:
            return True
        return bool(self._info().type != FileType.NotFound)

    def stat(self) -> ObjectStatus:
        """Returns the status of the object: that of its listing, else as it is now, with the ETag."""
        if self.status is not None:
            return self.status
        info = self._info()
        if not info.is_file:
            raise UserError(f"{self}: no such object")
        with self.asked() as (system, path), system.open_input_file(path) as file:
            return _status(info, file.metadata())

    def iterdir(self) -> Iterator["ObjectPath"]:
        """Yields objects and folders of this folder; objects with their status."""
        found = _still_listed(self)
        if found is None:
            with self.asked() as (system, path):
                infos = children(system, path)
            found = [replace(self / one.base_name, status=_status(one) if one.is_file else None) for one in infos]
            _listed[self] = (time.monotonic(), found)
        yield from found

    def open(self, mode: Literal["rb"] = "rb") -> io.BufferedReader:
        """Opens the object for reading from its beginning to its end."""
        return io.BufferedReader(self.open_raw(), _BUFFER)

    def open_raw(self) -> ObjectFile:
        """Opens the object for reading here and there: each read is a request."""
        with self.asked() as (system, path):
            return ObjectFile(str(self), self._root, system.open_input_file(path))

    def upload(self, file: Path) -> None:
        """Puts the content of a local file here: the object appears whole, or not at all."""
        from pyarrow.fs import LocalFileSystem, copy_files

        with self.asked() as (system, path):
            copy_files(str(file), path, LocalFileSystem(), system)
        found, wanted = self.stat().st_size, file.stat().st_size
        if found != wanted:
            raise UserError(f"{self}: {found:,} bytes arrived instead of {wanted:,}")

    def _info(self) -> "FileInfo":
        with self.asked() as (system, path):
            return system.get_file_info(path)

    @contextmanager
    def asked(self) -> Iterator[tuple["FileSystem", str]]:
        """Yields the file system and the path in it; errors of the block name this object.

        A store that could not be reached a moment ago is not asked: the error is that of then.
        """
        refuse_unreachable(str(self), self._root)
        with told(str(self), self._root):
            system, base = file_system(self._root)
            yield system, base.rstrip("/") + unquote(urlsplit(self.uri).path)


Location = Path | ObjectPath
_listed: dict[ObjectPath, tuple[float, list[ObjectPath]]] = {}
"""The last listing of a folder, and its time."""


def is_uri(value: Any) -> bool:
    """Returns whether a text names a location by a scheme."""
    return isinstance(value, str) and _URI.match(value) is not None


def location(text: str | os.PathLike[str]) -> Location:
    """Returns the location that a text names. Raises UserError: an unknown scheme, no bucket, or no URI."""
    found = _URI.match(text) if isinstance(text, str) else None
    if found is None or not isinstance(text, str):
        return Path(text)
    scheme, rest = found[1].lower(), text[found.end() :]
    shown = f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"
    if scheme not in SCHEMES:
        raise UserError(f"{shown}: unknown scheme; a location is a path, or a URI of {', '.join(SCHEMES)}")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
    except ValueError as error:
        raise UserError(f"{shown}: not a URI") from error
    if not parts.netloc or parts.fragment:
        raise UserError(f"{shown}: {'a # in it must be %23' if parts.netloc else 'no bucket'}")
    return ObjectPath(urlunsplit(parts._replace(path=re.sub("/+", "/", parts.path).rstrip("/"))))


def absent(path: Location, what: str) -> UserError:
    """Returns the error that nothing is at `path`: `what`, such as "no such folder", or that there is no such bucket.

    A path that was meant as a URI, such as `s3:/bucket/raw`, is told with the URI.
    """
    if isinstance(path, ObjectPath):
        with suppress(UserError):  # who may not ask for the bucket
            what = what if path.bucket.exists() else "no such bucket"
        return UserError(f"{path}: {what}")
    places = [place for place, name in enumerate(path.parts) if name.endswith(":") and name[:-1] in SCHEMES]
    if places and (below := path.parts[places[0] + 1 :]):
        what += f"; is it {path.parts[places[0]]}//{'/'.join(below)}, with two slashes?"
    return UserError(f"{path}: {what}")


def fresh(path: Location) -> Location:
    """Returns the same location, whose status will be asked for."""
    return path if isinstance(path, Path) else replace(path, status=None)


def entries(folder: Location) -> list[Location]:
    """Returns files and folders in a folder, sorted by name."""
    return sorted(folder.iterdir(), key=lambda one: one.name)


def names_there(folder: Location, names: Collection[str]) -> set[str]:
    """Returns those of the files `names` that are in a folder; asks an object store once for all."""
    if isinstance(folder, Path):
        return {name for name in names if (folder / name).exists()}
    listed = {one.name for one in folder.iterdir()} if names and folder.is_dir() else set()
    return listed.intersection(names)


def _still_listed(folder: ObjectPath) -> list[ObjectPath] | None:
    at, found = _listed.get(folder, (0.0, []))
    return found if at and time.monotonic() - at < LISTED_SECONDS else None


def _status(info: "FileInfo", metadata: dict[str, bytes] | None = None) -> ObjectStatus:
    tags = [value for name, value in (metadata or {}).items() if name.lower() == "etag"]
    mark = int.from_bytes(hashlib.sha256(tags[0]).digest()[:8], "big") if tags else 0
    return ObjectStatus(info.size, (info.mtime_ns or 0) // _SECOND * _SECOND, mark)
