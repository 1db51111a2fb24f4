"""What a chain knows of the keys of each effect: the value now, and sums over the sweeps that are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray
from engage_pipeline.machine.parallel import in_order
from engage_pipeline.model.effects import kernels
from engage_pipeline.model.effects.design import Design, LocalTerm
from engage_pipeline.model.effects.kernels import K

ROW = np.dtype((np.float32, (K,)))
CHUNK = 1 << 18
"""So many keys are worked on at a time."""


class Array(Protocol):
    """An array [n, 4] in memory or in a file, read and written by ranges."""

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
        if values.ctypes.data != target.ctypes.data:
            target[:] = values


def zeros(name: str, dtype: np.dtype, size: int, folder: Path | None) -> Array:
    """Returns an array of zeros in memory, or in a file of `folder`."""
    return InMemory(np.zeros(size, dtype)) if folder is None else FlatArray.empty(folder / name, dtype, size)


@dataclass
class KeyedValues:
    """Of one effect, float32 [keys, 4] each: `values` now, the sums of conditional `means` and of `variances`."""

    values: Array
    means: Array
    variances: Array

    @classmethod
    def zeros(cls, size: int, folder: Path | None) -> Self:
        """Returns zeros in memory, or in `folder`."""
        return cls(*(zeros(name, ROW, size, folder) for name in ("values", "means", "variances")))

    def copy(self, folder: Path | None) -> "KeyedValues":
        """Returns the values of now, with sums of 0."""
        found = KeyedValues.zeros(len(self.values), folder)
        for start, stop in chunks(len(self.values)):
            found.values.write(start, self.values.read(start, stop))
        return found

    def add_sums(self, other: "KeyedValues") -> None:
        """Adds the sums of another chain of the same keys."""
        for start, stop in chunks(len(self.values)):
            for own, more in ((self.means, other.means), (self.variances, other.variances)):
                own.write(start, own.read(start, stop) + more.read(start, stop))

    def draw(
        self,
        first: int,
        last: int,
        precision: np.ndarray,
        pull: np.ndarray,
        moved: np.ndarray,
        covariance: np.ndarray,
        rng: np.random.Generator,
        moments: np.ndarray,
        learn: bool,
        keep: bool,
    ) -> None:
        """Draws the keys `first` … `last` - 1, with `covariance` [4, 4]; for the other arguments see
        kernels.draw_keys."""
        values = self.values.read(first, last)
        means, variances = (sums.read(first, last) if keep else values for sums in (self.means, self.variances))
        prior = np.linalg.inv(covariance)
        kernels.draw_keys(precision, pull, prior, rng, values, moved, moments, learn, keep, means, variances)
        self.values.write(first, values)
        if keep:
            self.means.write(first, means)
            self.variances.write(first, variances)

    def draw_all(
        self,
        precision: np.ndarray,
        pull: np.ndarray,
        moved: np.ndarray,
        covariance: np.ndarray,
        rng: Callable[[int], np.random.Generator],
        moments: np.ndarray,
        learn: bool,
        keep: bool,
        threads: int,
    ) -> None:
        """Draws all keys in ranges, which `threads` threads share; `rng` returns the random numbers of a range."""

        def work(bounds: tuple[int, int]) -> np.ndarray:
            own, found = slice(*bounds), np.zeros_like(moments)
            self.draw(*bounds, precision[own], pull[own], moved[own], covariance, rng(bounds[0]), found, learn, keep)
            return found

        ranges = drawn_together(len(self.values))
        for found in in_order(work, ranges, min(threads, len(ranges))):
            moments += found


def chunks(size: int) -> list[tuple[int, int]]:
    """Returns the bounds of ranges of at most CHUNK keys."""
    return [(start, min(start + CHUNK, size)) for start in range(0, size, CHUNK)]


def drawn_together(size: int) -> list[tuple[int, int]]:
    """Returns the bounds of ranges of keys that are drawn by one thread each, of an effect of `size` keys.

    Each begins one key early, with the key of rows without one or the last key of the range before: draw_keys and
    draw_shifts leave the first key that they are given alone.
    """
    return [(max(start - 1, 0), stop) for start, stop in chunks(size)]


def zeros_of(design: Design, folder: Path | None) -> list[KeyedValues]:
    """Returns zeros for each effect of `design`: of effects of viewers in `folder`, of the others in memory."""
    local = {term.effect for term in design.terms if isinstance(term, LocalTerm)}
    return [
        KeyedValues.zeros(size, folder / f"keys-{effect}" if folder and effect in local else None)
        for effect, size in enumerate(design.sizes())
    ]


def copies_of(found: Sequence[KeyedValues], folder: Path | None) -> list[KeyedValues]:
    """Returns copies, in files of `folder` where the originals are in files."""
    return [
        one.copy(folder / f"keys-{effect}" if folder and not isinstance(one.values, InMemory) else None)
        for effect, one in enumerate(found)
    ]
