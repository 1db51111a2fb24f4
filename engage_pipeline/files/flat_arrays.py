"""Arrays in files without a header, read and written by ranges, so that they may be larger than memory.

They hold what a process works on: nothing in a file says what it is, and nothing is synced to disk.
"""

import os
import weakref
from pathlib import Path
from typing import Self

import numpy as np


class FlatArray:
    """An array [n] of `dtype`, maybe of rows, in the file `path`, which stays open as long as this object is there."""

    def __init__(self, path: Path, dtype: np.dtype | type) -> None:
        """Opens the file `path`, which is made if it is not there."""
        self.path, self.dtype = path, np.dtype(dtype)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        weakref.finalize(self, os.close, self._file)
        self._mapped: np.ndarray | None = None

    @classmethod
    def empty(cls, path: Path, dtype: np.dtype | type, size: int = 0) -> Self:
        """Makes the array with `size` elements of 0; replaces a file that is there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        found = cls(path, dtype)
        os.truncate(path, size * found.dtype.itemsize)
        return found

    def __len__(self) -> int:
        """Returns the number of elements."""
        return os.fstat(self._file).st_size // self.dtype.itemsize

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns the elements `start` … `stop` - 1, by default all. Raises EOFError if there are fewer."""
        if self._mapped is not None:
            return self._mapped[start:stop]
        found = np.empty((len(self) if stop is None else stop) - start, self.dtype)
        rest, offset = found.reshape(-1).view(np.uint8).data, start * self.dtype.itemsize
        while rest:
            count = os.preadv(self._file, [rest], offset)
            if not count:
                raise EOFError(f"{self.path}: ends before element {stop}")
            rest, offset = rest[count:], offset + count
        return found

    def map(self) -> None:
        """Lets reads be no copies any more, for an array that is read often and stays as it is."""
        if len(self):
            # Not read-only: compiled loops would be compiled for such arrays too.
            mapped = np.memmap(self.path, self.dtype.base, mode="r+", shape=(len(self), *self.dtype.shape))
            self._mapped = np.asarray(mapped)

    def write(self, start: int, values: np.ndarray) -> None:
        """Writes `values` [m] over the elements from `start` on."""
        content = np.ascontiguousarray(values, self.dtype.base).reshape(-1)
        rest, offset = content.view(np.uint8).data, start * self.dtype.itemsize
        while rest:
            count = os.pwrite(self._file, rest, offset)
            rest, offset = rest[count:], offset + count

    def append(self, values: np.ndarray) -> None:
        """Writes `values` [m] after the last element."""
        self.write(len(self), values)
