"""The exposure matrix: who was shown whom, a sparse matrix of viewers x authors that is read in blocks of viewers.

An entry is log(1 + exposures), divided by the square roots of the viewer's and the author's sums of these logarithms.
SHRINKAGE is added to each sum, so that users with few exposures don't outweigh the others (T. Qin, K. Rohe,
"Regularized spectral clustering under the degree-corrected stochastic blockmodel", 2013). Users are given by their
numbers in user_numbers.parquet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from engage_pipeline.engines.opening import open_engine
from engage_pipeline.interactions.counters.counting import TRAINING_SCOPE, totals_file
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SHRINKAGE = 5.0
ABSENT = -1
BLOCK_PAIRS = 1_000_000
"""Pairs that are read at once, about 100 bytes each, plus a vector for each of their viewers."""


@dataclass(frozen=True)
class Block:
    """Some viewers with all of their pairs. `viewers` [b] are their numbers. The pairs of viewer i are at `starts[i]` …
    `starts[i + 1]` - 1 of `authors` [pairs], their numbers, and `weights` float32 [pairs], the entries.
    """

    viewers: Integers
    starts: npt.NDArray[np.int64]
    authors: Integers
    weights: Floats

    def matrix(self, places: Integers, columns: int) -> "csr_array":
        """Returns the viewers' rows [b, columns]; `places` [users + 1] maps an author to its column, or to ABSENT."""
        from scipy.sparse import csr_array

        places = places[self.authors]
        kept = places != ABSENT
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        return csr_array((self.weights[kept], places[kept], starts), shape=(len(self.viewers), columns))


@dataclass(frozen=True)
class ExposureMatrix:
    """`pairs` is a Parquet file of viewer, author, exposures, ordered by viewer. `viewers` and `authors`, float64
    [users + 1], hold each user's sum of log(1 + exposures) in that role, by number; 0 for none."""

    pairs: Path
    viewers: Doubles
    authors: Doubles

    @classmethod
    def write(cls, counts: Path, pairs: Path, users: int, settings: Settings) -> Self:
        """Sorts the pairs of the folder `counts` by viewer into the file `pairs`, from which the matrix is read."""
        counted = counts / totals_file(TRAINING_SCOPE, "pair")
        with open_engine(settings, readable=[counts, pairs.parent]) as engine:
            engine.read("pair", [counted])
            engine.write("interactions/pairs_by_viewer.sql", pairs)
        return cls(pairs, _sums(pairs, "viewer", users), _sums(counted, "key", users))

    def blocks(self, most_pairs: int = BLOCK_PAIRS) -> Iterator[Block]:
        """Yields all pairs, by viewer, in blocks of about `most_pairs`, or more if one viewer has more."""
        viewer_scale, author_scale = (1 / np.sqrt(sums + SHRINKAGE) for sums in (self.viewers, self.authors))
        for viewer, author, exposures in _whole_viewers(self.pairs, most_pairs):
            starts = _starts(viewer)
            weights = np.log1p(exposures) * viewer_scale[viewer] * author_scale[author]
            yield Block(viewer[starts[:-1]], starts, author, weights.astype(np.float32))


def _sums(path: Path, column: str, users: int) -> Doubles:
    """Returns sums of log(1 + exposures) by the number in `column`, the order of the file: float64 [users + 1]."""
    sums = np.zeros(users + 1)
    for batch in pq.ParquetFile(path).iter_batches(BLOCK_PAIRS, columns=[column, "exposures"]):
        numbers, exposures = (batch[name].to_numpy() for name in (column, "exposures"))
        starts = _starts(numbers)[:-1]
        sums[numbers[starts]] += np.add.reduceat(np.log1p(exposures), starts)
    return sums


def _starts(numbers: Integers) -> npt.NDArray[np.int64]:
    """Returns the starts of the runs of equal numbers, and the end: int64 [runs + 1]."""
    return np.append(np.flatnonzero(np.diff(numbers, prepend=ABSENT)), len(numbers))


def _whole_viewers(path: Path, most_pairs: int) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Yields viewers, authors and exposures of the pairs of the file, cut only between viewers."""
    held = np.zeros((3, 0), np.int32)
    for batch in pq.ParquetFile(path).iter_batches(most_pairs, columns=["viewer", "author", "exposures"]):
        held = np.concatenate([held, [column.to_numpy() for column in batch.columns]], axis=1)
        last = int(np.searchsorted(held[0], held[0, -1]))
        if last:
            yield held[0, :last], held[1, :last], held[2, :last]
        held = held[:, last:]
    if held.size:
        yield held[0], held[1], held[2]
