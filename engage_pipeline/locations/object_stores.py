"""Object stores through pyarrow's file systems: which one a URI means, open objects, their errors in one line.

What pyarrow does differently in one store than in the others is evened out here. What does not belong here: names of
objects.
"""

import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import pyarrow as pa

from engage_pipeline.errors import StoreError, UserError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

SCHEMES = ("s3", "gs", "az", "abfs", "abfss", "hdfs")
GOOGLE_SECONDS = 60
"""How long a request to Google's store is tried again; its client would do so for 15 minutes."""
_GOOGLE_EMULATOR = "CLOUD_STORAGE_EMULATOR_ENDPOINT"
"""The variable that Google's client reads by itself."""
_AZURE_SCHEMES = ("az", "abfs", "abfss")
UNREACHABLE_SECONDS = 60.0
"""How long a store that could not be reached is not asked again: each further part would wait for it as long."""
_UNREACHABLE = re.compile(r"(curlCode: |CURL error \[)(6|7|28)\b|Fail to get a new connection|HDFS connection failed")
"""What errors say if a store's name is unknown, nobody listens, or time is over: curl's numbers, and other words."""
_unreachable: dict[str, tuple[float, str]] = {}
"""When a store, by the root of its URIs, could not be reached, and why."""
_NOISE = re.compile(
    r"\s*(\(Request ID: [^)]*\)|Request ?I[dD]: ?\S+|Time:\S+|error_info=\{.*|"
    r"When getting information for key '[^']*' in bucket '[^']*': )"
)
_ADVICE = {
    "ACCESS_DENIED": "check the store's keys in the environment",
    "curlCode: 6,": "check the network, and the endpoint (such as AWS_ENDPOINT_URL)",
    "curlCode: 7,": "check the network, and the endpoint (such as AWS_ENDPOINT_URL)",
    "curlCode: 35,": "an endpoint without TLS begins with http://",
}
"""What helps, by what an error says."""


@contextmanager
def told(shown: str, root: str) -> Iterator[None]:
    """Turns the errors of a store into a UserError that begins with `shown`, the name of an object.

    All but that there is no such object are a StoreError. That the store `root`, a URI without path, could not be
    reached is remembered for UNREACHABLE_SECONDS.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{shown}: no such object") from error
    except (OSError, pa.ArrowException) as error:
        reason = _NOISE.sub("", " ".join(str(error).split()))
        advice = next((f"; {words}" for mark, words in _ADVICE.items() if mark in reason), "")
        reason = f"{reason[:600]}{advice}"
        if _UNREACHABLE.search(reason):
            _unreachable[root] = (time.monotonic(), reason)
        raise StoreError(f"{shown}: {reason}") from None


def refuse_unreachable(shown: str, root: str) -> None:
    """Raises StoreError with the reason of then if the store `root` could not be reached a moment ago."""
    at, reason = _unreachable.get(root, (0.0, ""))
    if reason and time.monotonic() - at < UNREACHABLE_SECONDS:
        raise StoreError(f"{shown}: {reason}")


@lru_cache(maxsize=64)
def file_system(root: str) -> tuple["FileSystem", str]:
    """Returns the file system of a URI without path, and the beginning of paths in it."""
    from pyarrow.fs import FileSystem

    parts = urlsplit(root)
    if parts.scheme in _AZURE_SCHEMES and _names_container(parts):
        return _azure(parts)
    try:
        system, base = FileSystem.from_uri(_google(parts) if parts.scheme == "gs" else root)
    except pa.ArrowInvalid as error:  # it may quote the URI
        raise OSError(str(error).replace(root, f"{parts.scheme}://…")) from None
    return system, base


def children(system: "FileSystem", folder: str) -> list["FileInfo"]:
    """Returns objects and folders of a folder.

    Of Google's store pyarrow lists objects alone, so all that lie below the folder tell which folders are in it.
    """
    from pyarrow.fs import FileInfo, FileSelector, FileType

    if system.type_name != "gcs":
        return list(system.get_file_info(FileSelector(folder)))
    start, found = f"{folder.rstrip('/')}/", dict[str, FileInfo]()
    for one in system.get_file_info(FileSelector(folder, recursive=True)):
        name, _, below = one.path.removeprefix(start).partition("/")
        if one.path.startswith(start):
            found.setdefault(name, FileInfo(start + name, type=FileType.Directory) if below else one)
    return list(found.values())


def remove_folder(system: "FileSystem", folder: str) -> None:
    """Removes a folder with all objects in it, and the empty object that stands for it in some stores.

    Google's store has no such object, and pyarrow fails where it looks for one.
    """
    from pyarrow.fs import FileSelector

    if system.type_name != "gcs":
        system.delete_dir(folder)
        return
    for one in system.get_file_info(FileSelector(folder, recursive=True)):
        if one.is_file:
            system.delete_file(one.path)


def _google(parts: SplitResult) -> str:
    """Returns the URI with a limit of time, and without an account where an emulator, which has none, is asked."""
    limit = "" if "retry_limit_seconds" in parts.query else f"retry_limit_seconds={GOOGLE_SECONDS}"
    account = "anonymous@" if os.environ.get(_GOOGLE_EMULATOR) and "@" not in parts.netloc else ""
    query = "&".join(one for one in (parts.query, limit) if one)
    return parts._replace(netloc=account + parts.netloc, query=query).geturl()


def _names_container(parts: SplitResult) -> bool:
    """Returns whether a URI is `az://container`, `abfs://container` or `abfs://container@account.dfs…`.

    pyarrow has other forms too, with the key in the URI or with an endpoint as the host.
    """
    named = "@" in parts.netloc or "." not in parts.netloc
    return parts.scheme == "az" or (named and not parts.query and ":" not in parts.netloc)


def _azure(parts: SplitResult) -> tuple["FileSystem", str]:
    """Returns the storage account of the URI, or else of the environment, and the container.

    The environment has its key or token, else it is the machine's identity; and the endpoint, where it is not Azure's.
    """
    from pyarrow.fs import AzureFileSystem

    if parts.query:
        raise OSError("az:// takes no options; AZURE_STORAGE_… variables have them")
    container, named, host = parts.netloc.rpartition("@")
    names = ("ACCOUNT", "KEY", "SAS_TOKEN", "SERVICE_ENDPOINT")
    account, key, token, endpoint = (os.environ.get(f"AZURE_STORAGE_{name}") or None for name in names)
    account = host.partition(".")[0] if named else account
    if not account:
        raise OSError("the environment has no AZURE_STORAGE_ACCOUNT")
    place = urlsplit(endpoint) if endpoint else SplitResult("https", host, "", "", "") if named else None
    where = {}
    if place:
        where = {
            "blob_storage_scheme": place.scheme,
            "blob_storage_authority": place.netloc.replace(".dfs.", ".blob.", 1),
            "dfs_storage_scheme": place.scheme,
            "dfs_storage_authority": place.netloc.replace(".blob.", ".dfs.", 1),
        }
    system = AzureFileSystem(account, account_key=key, sas_token=None if key else token, **where)
    return system, container if named else host


class ObjectFile(io.RawIOBase):
    """An open object, whose errors name it.

    After a read that failed all others fail at once: Parquet's reader tries every column, and each would wait again.
    The store is not asked before there is something to read: Google's refuses a move to the end, where Parquet's reader
    begins.
    """

    def __init__(self, shown: str, root: str, file: pa.NativeFile) -> None:
        """`shown` names the object in errors, `root` is its store's URI without path."""
        self._shown, self._root, self._file = shown, root, file
        self._place = 0
        self._error: UserError | None = None

    def readable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, target: Any, /) -> int:
        """Reads into `target`; returns the bytes read, 0 at the end. Raises UserError."""
        if self._error:
            raise self._error
        try:
            with told(self._shown, self._root):
                if self._place >= self._file.size():
                    return 0
                if self._file.tell() != self._place:
                    self._file.seek(self._place)
                count = int(self._file.readinto(target))
        except UserError as error:
            self._error = error
            raise
        self._place += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Moves to a place; returns it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: int(self._file.size())}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """Returns the place."""
        return self._place

    def close(self) -> None:
        """Closes the object."""
        self._file.close()
        super().close()
