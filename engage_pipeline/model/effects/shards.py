"""Records distributed to files by shard, so that those of a shard can be worked on alone, in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

_HALF = np.uint64(32)


@dataclass(frozen=True)
class Shards:
    """Records of `dtype`, those of each shard in a file, in the order in which they were added."""

    files: Sequence[Path]
    dtype: np.dtype

    @classmethod
    def empty(cls, folder: Path, count: int, dtype: np.dtype) -> Self:
        """Makes `count` shards without records, with their files in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{shard}.records" for shard in range(count)]
        for file in files:
            file.write_bytes(b"")
        return cls(files, dtype)

    def __len__(self) -> int:
        """Returns the number of shards."""
        return len(self.files)

    def add(self, records: np.ndarray, shards: np.ndarray) -> None:
        """Adds `records` [n], each to its shard, int64 [n]."""
        self.add_members(records, members_of(shards, len(self)))

    def add_members(self, records: np.ndarray, members: Sequence[np.ndarray]) -> None:
        """Adds to each shard the records with the places `members` (members_of)."""
        for file, own in zip(self.files, members, strict=True):
            if len(own):
                with file.open("ab") as opened:
                    opened.write(records.take(own, axis=0).data)

    def read(self) -> Iterator[np.ndarray]:
        """Yields the records of each shard that has any; they are overwritten by the next ones."""
        sizes = [file.stat().st_size for file in self.files]
        room = np.empty(max(sizes, default=0), np.uint8)  # once: the system clears each new page
        for file, size in zip(self.files, sizes, strict=True):
            if size:
                with file.open("rb") as opened:
                    opened.readinto(room[:size].data)
                yield room[:size].view(self.dtype.base).reshape(-1, *self.dtype.shape)


def shards_of(hashes: np.ndarray, count: int) -> np.ndarray:
    """Returns the shard of each hash, uint64 [n]: int64 [n], rising with the hash, below `count`, at most 2^31."""
    return ((hashes >> _HALF) * np.uint64(count) >> _HALF).astype(np.int64)


def members_of(shards: np.ndarray, count: int) -> list[np.ndarray]:
    """Returns the places of the records of each of `count` shards, rising, by the shard of each record, int64 [n]."""
    order = np.argsort(shards.astype(np.min_scalar_type(count)), kind="stable")  # numbers of two bytes by their digits
    return np.split(order, np.cumsum(np.bincount(shards, minlength=count))[:-1])
