"""Object stores through pyarrow's file systems: which one a URI means, open objects, their errors in one line.

What does not belong here: names and listings of objects.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa

from engage_pipeline.errors import UserError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SCHEMES = ("s3", "gs", "az", "abfs", "abfss", "hdfs")
_NOISE = re.compile(r"\s*\(Request ID: [^)]*\)")


@contextmanager
def told(shown: str) -> Iterator[None]:
    """Turns the errors of a store into a UserError that begins with `shown`, the name of an object."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{shown}: no such object") from error
    except (OSError, pa.ArrowException) as error:
        reason = _NOISE.sub("", " ".join(str(error).split()))
        raise UserError(f"{shown}: {reason[:300]}") from None


@lru_cache(maxsize=64)
def file_system(root: str) -> tuple["FileSystem", str]:
    """Returns the file system of a URI without path, and the beginning of paths in it."""
    from pyarrow.fs import FileSystem

    parts = urlsplit(root)
    if parts.scheme == "az":
        return _azure(), parts.netloc
    try:
        system, base = FileSystem.from_uri(root)
    except pa.ArrowInvalid as error:  # it may quote the URI
        raise OSError(str(error).replace(root, f"{parts.scheme}://…")) from None
    return system, base


def _azure() -> "FileSystem":
    """Returns the storage account that the environment names, with its key or token, else the machine's identity."""
    from pyarrow.fs import AzureFileSystem

    account, key, token = (os.environ.get(f"AZURE_STORAGE_{name}") for name in ("ACCOUNT", "KEY", "SAS_TOKEN"))
    if not account:
        raise OSError("the environment has no AZURE_STORAGE_ACCOUNT")
    return AzureFileSystem(account, account_key=key, sas_token=None if key else token)


class ObjectFile(io.RawIOBase):
    """An open object, whose errors name it.

    After a read that failed all others fail at once: Parquet's reader tries every column, and each would wait again.
    """

    def __init__(self, shown: str, file: pa.NativeFile) -> None:
        """`shown` names the object in errors."""
        self._shown, self._file = shown, file
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
            with told(self._shown):
                return int(self._file.readinto(target))
        except UserError as error:
            self._error = error
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Moves to a place; returns it."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Returns the place."""
        return int(self._file.tell())

    def close(self) -> None:
        """Closes the object."""
        self._file.close()
        super().close()
