"""Who was shown whom, as a sparse matrix of viewers x authors that is read in blocks of viewers.

An entry is log(1 + exposures), divided by the square roots of the viewer's and the author's sums of these, each with
SHRINKAGE added, so that users of few exposures don't outweigh the others (T. Qin, K. Rohe, "Regularized spectral
clustering under the degree-corrected stochastic blockmodel", 2013). Users are the numbers of user_numbers.parquet.
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
"""Pairs that are read at once: about 100 bytes each, and a vector for each viewer among them."""


@dataclass(frozen=True)
class Block:
    """Some viewers with all of their pairs. `viewers` [b] are their numbers; the pairs of the i-th are those from
    `starts[i]` to `starts[i + 1]` of `authors` [pairs], numbers, and `weights` [pairs] float32, the entries.
    """

    viewers: Integers
    starts: npt.NDArray[np.int64]
    authors: Integers
    weights: Floats

    def matrix(self, places: Integers, columns: int) -> "csr_array":
        """The viewers' rows [b, columns]: an author's column is `places` [users + 1] at its number, if not ABSENT."""
        from scipy.sparse import csr_array

        places = places[self.authors]
        kept = places != ABSENT
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        return csr_array((self.weights[kept], places[kept], starts), shape=(len(self.viewers), columns))


@dataclass(frozen=True)
class ExposureMatrix:
    """`pairs` is a Parquet file of viewer, author, exposures, by viewer. `viewers` and `authors` [users + 1] float64
    hold at a user's number the sum of log(1 + exposures) in that role, 0 where it never had it."""

    pairs: Path
    viewers: Doubles
    authors: Doubles

    @classmethod
    def write(cls, counts: Path, pairs: Path, users: int, settings: Settings) -> Self:
        """Sorts the pairs of the folder `counts` by viewer into the file `pairs`, which the matrix is read from."""
        counted = counts / totals_file(TRAINING_SCOPE, "pair")
        with open_engine(settings, readable=[counts, pairs.parent]) as engine:
            engine.read("pair", [counted])
            engine.write("interactions/pairs_by_viewer.sql", pairs)
        return cls(pairs, _sums(pairs, "viewer", users), _sums(counted, "key", users))

    def blocks(self, most_pairs: int = BLOCK_PAIRS) -> Iterator[Block]:
        """All pairs, viewer after viewer: blocks of about `most_pairs`, or more where one viewer has more."""
        viewer_scale, author_scale = (1 / np.sqrt(sums + SHRINKAGE) for sums in (self.viewers, self.authors))
        for viewer, author, exposures in _whole_viewers(self.pairs, most_pairs):
            starts = _starts(viewer)
            weights = np.log1p(exposures) * viewer_scale[viewer] * author_scale[author]
            yield Block(viewer[starts[:-1]], starts, author, weights.astype(np.float32))


def _sums(path: Path, column: str, users: int) -> Doubles:
    """The sums of log(1 + exposures) by the number in `column`, by which the file is ordered: float64 [users + 1]."""
    sums = np.zeros(users + 1)
    for batch in pq.ParquetFile(path).iter_batches(BLOCK_PAIRS, columns=[column, "exposures"]):
        numbers, exposures = (batch[name].to_numpy() for name in (column, "exposures"))
        starts = _starts(numbers)[:-1]
        sums[numbers[starts]] += np.add.reduceat(np.log1p(exposures), starts)
    return sums


def _starts(numbers: Integers) -> npt.NDArray[np.int64]:
    """Where each run of equal numbers begins, and the end."""
    return np.append(np.flatnonzero(np.diff(numbers, prepend=ABSENT)), len(numbers))


def _whole_viewers(path: Path, most_pairs: int) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Viewers, authors and exposures of the pairs of the file, cut between viewers only."""
    held = np.zeros((3, 0), np.int32)
    for batch in pq.ParquetFile(path).iter_batches(most_pairs, columns=["viewer", "author", "exposures"]):
        held = np.concatenate([held, [column.to_numpy() for column in batch.columns]], axis=1)
        last = int(np.searchsorted(held[0], held[0, -1]))
        if last:
            yield held[0, :last], held[1, :last], held[2, :last]
        held = held[:, last:]
    if held.size:
        yield held[0], held[1], held[2]
