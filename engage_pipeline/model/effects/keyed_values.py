"""What a fit knows of the keys of each effect: the mean of its four numbers, and their variances."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.design import Block, Design, LocalTerm
from engage_pipeline.model.effects.kernels import N_SUMS, K

ROW, KEY = np.dtype((np.float32, (K,))), np.dtype((np.float32, (2 * K,)))
"""Of a row a number for each engagement; of a key a mean for each, then a variance."""
_LINE = 64
"""Bytes of a line of a processor's cache."""
CHUNK = 1 << 18
"""So many keys are worked on at a time."""


class Array(Protocol):
    """An array [n, 4] or [n, 8] in memory or in a file, read and written by ranges."""

    def __len__(self) -> int:
        """Returns the number of elements."""

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns the elements `start` … `stop` - 1."""

    def write(self, start: int, values: np.ndarray) -> None:
        """Writes `values` over the elements from `start` on."""


@dataclass
class InMemory:
    """An array in memory; what is read is not a copy."""

    values: np.ndarray

    def __len__(self) -> int:
        """Returns the number of elements."""
        return len(self.values)

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns the elements `start` … `stop` - 1."""
        return self.values[start:stop]

    def write(self, start: int, values: np.ndarray) -> None:
        """Writes `values` over the elements from `start` on."""
        target = self.values[start : start + len(values)]
        if not np.may_share_memory(values, target):  # what was read of it is there already
            target[:] = values


@dataclass
class Memory:
    """Memory that is used again and again: the system clears each new page, which takes longer than to fill it."""

    _bytes: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8))

    def take(self, size: int, dtype: np.dtype) -> np.ndarray:
        """Returns any numbers [size] of `dtype` that begin with a line of the cache: rows of 32 or 64 bytes then lie in
        one. They take the place of what was taken before."""
        wanted = size * dtype.itemsize
        if len(self._bytes) < wanted + _LINE:
            self._bytes = np.empty(wanted + _LINE, np.uint8)
        first = -self._bytes.ctypes.data % _LINE
        return self._bytes[first : first + wanted].view(dtype.base).reshape(size, *dtype.shape)


def in_lines(size: int, dtype: np.dtype) -> np.ndarray:
    """Returns numbers of memory of their own (Memory.take)."""
    return Memory().take(size, dtype)


def no_sums(keys: np.ndarray, dtype: type, memory: Memory | None = None) -> np.ndarray:
    """Returns sums `dtype` [keys, N_SUMS] of no rows (kernels.sum_rows), of `keys` [keys, 8] or variances [keys, 4], in
    `memory`; None = their own."""
    sums = (memory or Memory()).take(len(keys), np.dtype((dtype, (N_SUMS,))))
    kernels.begin_sums(keys, keys.shape[1] - K, sums)
    return sums


@dataclass
class Spare:
    """Memory that fits have left, for the sweeps of those that come."""

    _left: list[list[Memory]] = field(default_factory=list)

    def take(self, count: int) -> list[Memory]:
        """Returns `count` memories: those that a fit has left, or new ones."""
        try:
            return self._left.pop()
        except IndexError:  # another thread may have taken the last one
            return [Memory() for _ in range(count)]

    def leave(self, memories: list[Memory]) -> None:
        """Takes what nothing reads any more."""
        if memories:
            self._left.append(memories)


def room(name: str, dtype: np.dtype, size: int, folder: Path | None, memory: Memory | None = None) -> Array:
    """Returns an array of any numbers in `memory`, None = its own, or of zeros in a file of `folder`."""
    if folder is None:
        return InMemory((memory or Memory()).take(size, dtype))
    return FlatArray.empty(folder / name, dtype, size)


def solve_block(
    term: LocalTerm,
    block: Block,
    response: Sequence[np.ndarray],
    keys: np.ndarray,
    prior: np.ndarray,
    moments: np.ndarray,
    *,
    learn: bool,
) -> None:
    """Moves `keys`, those of an effect of viewers in one block, by the `response` of its rows, and their residuals; for
    the other arguments see kernels.solve_keys."""
    codes, slopes = block.codes(term), term.slopes(block)
    sums, moved = no_sums(keys, np.float32), np.zeros((len(keys), K), np.float32)
    kernels.sum_rows(codes, slopes, *response, sums)
    kernels.solve_keys(sums, prior, keys, moved, moments, learn)
    kernels.move_rows(codes, slopes, moved, response[1], response[0])


def solve_all(
    keys: Array,
    sums: np.ndarray,
    moved: np.ndarray,
    covariance: np.ndarray,
    moments: np.ndarray,
    *,
    learn: bool,
    threads: int,
) -> None:
    """Moves all keys with `covariance` [4, 4] in ranges, which `threads` threads share; for the other arguments see
    kernels.solve_keys."""
    prior = np.linalg.inv(covariance)

    def work(bounds: tuple[int, int]) -> np.ndarray:
        own, found, values = slice(*bounds), np.zeros_like(moments), keys.read(*bounds)
        kernels.solve_keys(sums[own], prior, values, moved[own], found, learn)
        keys.write(bounds[0], values)
        return found

    ranges = solved_together(len(keys))
    for found in in_order(work, ranges, min(threads, len(ranges))):
        moments += found


def chunks(size: int) -> list[tuple[int, int]]:
    """Returns the bounds of ranges of at most CHUNK keys."""
    return [(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK)]


def solved_together(size: int) -> list[tuple[int, int]]:
    """Returns the bounds of ranges of keys that are solved by one thread each, of an effect of `size` keys.

    Each begins one key early, with the key of rows without one or the last key of the range before: solve_keys and
    shift_parents leave the first key that they are given alone.
    """
    return [(max(start - 1, 0), stop) for start, stop in chunks(size)]


def zeros_of(design: Design, folder: Path | None) -> list[Array]:
    """Returns KEY zeros for each effect of `design`: of effects of viewers in `folder`, of the others in memory."""
    found = _rooms(design, folder)
    for keys in found:
        if isinstance(keys, InMemory):
            keys.values[:] = 0
    return found


def copies_of(design: Design, found: Sequence[Array], folder: Path | None) -> tuple[list[Array], list[Array]]:
    """Returns copies of the keys of each effect of `design`, where zeros_of puts them, and what is to be read of them
    until all have been written: from one file to another nothing is copied."""
    copies = _rooms(design, folder)
    known = list(copies)
    for effect, (keys, copy) in enumerate(zip(found, copies, strict=True)):
        if isinstance(keys, FlatArray) and isinstance(copy, FlatArray):
            known[effect] = keys
        else:
            _copy(keys, copy)
    return copies, known


def put_into_files(found: list[Array], folder: Path) -> None:
    """Puts the keys of effects that are in memory into files of `folder`."""
    for effect, keys in enumerate(found):
        if isinstance(keys, InMemory):
            found[effect] = room(_name(effect), KEY, len(keys), folder)
            _copy(keys, found[effect])


def _rooms(design: Design, folder: Path | None) -> list[Array]:
    local = {term.effect for term in design.local}
    sizes = enumerate(design.sizes())
    return [room(_name(effect), KEY, size, folder if effect in local else None) for effect, size in sizes]


def _name(effect: int) -> str:
    return f"keys-{effect}"


def _copy(keys: Array, copy: Array) -> None:
    for start, stop in chunks(len(keys)):
        copy.write(start, keys.read(start, stop))
