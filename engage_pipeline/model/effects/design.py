"""The design of a fit, on disk: for each row the code of its key of each effect, in blocks that fit into the cache.

Rows stand in an order in which those of a viewer are neighbours, in one block. So the keys of an effect of viewers
(`LocalTerm`) belong to one block, and a sweep needs none of the others. The keys of any other effect (`SharedTerm`)
occur in all blocks, and their values are held in memory. Effects that have few keys together share one code of their
combination, a cell, and are fitted to the sums of the cells.

A code is the place of a key among those of its block, or of all blocks; code 0 is for the rows without a key.
What does not belong here: numbering the keys (numbering), the fit (fitting).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from engage_pipeline.files.flat_arrays import FlatArray

BLOCK_ROWS = 24576
"""About so many rows are in a block: a dozen arrays of 8 bytes a row then stay in a core's cache."""
NARROW_CODE, WIDE_CODE = np.dtype(np.uint16), np.dtype(np.int32)
"""The types of codes: those of a term are narrow, half as much to read, unless it has too many."""
NO_CODES, NO_SLOPES = np.zeros(0, WIDE_CODE), np.zeros(0, np.float32)


class Readable(Protocol):
    """An array that is read by ranges."""

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Returns the elements `start` … `stop` - 1."""


@dataclass(frozen=True)
class Block:
    """The rows `start` … `stop` - 1 of a design, block `number`; it keeps the codes that were read of it."""

    number: int
    start: int
    stop: int
    _codes: dict[Path, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    def read(self, array: Readable) -> np.ndarray:
        """Reads the rows' elements of `array` [rows]."""
        return array.read(self.start, self.stop)

    def codes(self, term: "Term") -> np.ndarray:
        """Returns the rows' codes, not to be changed."""
        path = term.codes.path
        if path not in self._codes:
            self._codes[path] = self.read(term.codes)
        return self._codes[path]


@dataclass(frozen=True)
class LocalTerm:
    """An effect whose keys occur in one block each. `codes` [rows] are NARROW_CODE or WIDE_CODE, `first` int64
    [blocks + 1] is the number of keys before each block; a block's first key is NO_FINGERPRINT."""

    effect: int
    codes: FlatArray
    first: np.ndarray
    scale: FlatArray | None = None

    def slopes(self, block: Block) -> np.ndarray:
        """Reads what the effect counts times in the rows of a block, float32 [n]; [0] if it counts once in each."""
        return NO_SLOPES if self.scale is None else block.read(self.scale)

    def keys(self, block: Block) -> tuple[int, int]:
        """Returns the places of the first key of a block, and of the first one after it."""
        return int(self.first[block.number]), int(self.first[block.number + 1])


@dataclass(frozen=True)
class SharedTerm:
    """One or several effects whose keys occur in all blocks. `codes` [rows], NARROW_CODE or WIDE_CODE, are those of the
    effect, or of the cells; then `cells` int64 [effects, cells] holds the code of each effect in each cell."""

    effects: tuple[int, ...]
    sizes: tuple[int, ...]
    codes: FlatArray
    cells: np.ndarray | None = None

    def slopes(self, block: Block) -> np.ndarray:
        """Returns float32 [0]: shared effects count once in each row."""
        return NO_SLOPES

    @property
    def size(self) -> int:
        """The number of codes."""
        return self.sizes[0] if self.cells is None else self.cells.shape[1]


Term = LocalTerm | SharedTerm


@dataclass(frozen=True)
class Design:
    """The rows of a fit. `starts` int64 [blocks + 1]: the first row of each block; `facts` rows.FACTS [rows]; `terms`
    in the order of the effects."""

    starts: np.ndarray
    facts: FlatArray
    terms: tuple[Term, ...]

    def __len__(self) -> int:
        """Returns the number of rows."""
        return int(self.starts[-1])

    @property
    def local(self) -> list[LocalTerm]:
        """The terms of viewers."""
        return [term for term in self.terms if isinstance(term, LocalTerm)]

    @property
    def shared(self) -> list[SharedTerm]:
        """The other terms."""
        return [term for term in self.terms if isinstance(term, SharedTerm)]

    def sizes(self) -> list[int]:
        """Returns the number of keys of each effect, with those for rows without one."""
        sizes: dict[int, int] = {}
        for term in self.terms:
            if isinstance(term, LocalTerm):
                sizes[term.effect] = int(term.first[-1])
            else:
                sizes |= zip(term.effects, term.sizes, strict=True)
        return [sizes[effect] for effect in range(len(sizes))]

    def map(self) -> None:
        """Maps the files, which a sweep reads several times; what is read then counts as memory of this process."""
        for term in self.terms:
            term.codes.map()
            if isinstance(term, LocalTerm) and term.scale is not None:
                term.scale.map()
        self.facts.map()

    def blocks(self, stops: np.ndarray | None = None) -> Iterator[Block]:
        """Yields the blocks that have rows; of each of all blocks the rows before `stops` int64 [blocks] alone."""
        ends = self.starts[1:] if stops is None else stops
        for number in np.flatnonzero(np.diff(self.starts)).tolist():
            yield Block(number, int(self.starts[number]), int(ends[number]))
