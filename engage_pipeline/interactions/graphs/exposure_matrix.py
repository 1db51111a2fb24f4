"""The exposure matrix: who was shown whom, a sparse matrix of viewers x authors that is read in blocks of viewers.

An entry is log(1 + exposures), divided by the square roots of the viewer's and the author's sums of these logarithms.
SHRINKAGE is added to each sum, so that users with few exposures don't outweigh the others (T. Qin, K. Rohe,
"Regularized spectral clustering under the degree-corrected stochastic blockmodel", 2013). Users are numbered from 1 in
the order of the fingerprints of their ids.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.files.parquet import batches
from engage_pipeline.interactions.counters.counting import TRAINING_SCOPE
from engage_pipeline.interactions.counters.tables import Table

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SHRINKAGE = 5.0
ABSENT = -1
BLOCK_PAIRS = 1_000_000
"""Pairs that are read at once, about 100 bytes each, plus a vector for each of their viewers."""
_PAIRS = pa.schema([(name, pa.int32()) for name in ("viewer", "author", "exposures")])


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
    """`pairs` is a Parquet file of viewer, author, exposures, ordered by viewer. `users` uint64 [users] are rising
    fingerprints. `viewers` and `authors`, float64 [users + 1], hold each user's sum of log(1 + exposures) in that role,
    by number; 0 for none."""

    pairs: Path
    users: npt.NDArray[np.uint64]
    viewers: Doubles
    authors: Doubles

    @classmethod
    def write(cls, counts: Path, pairs: Path) -> Self:
        """Writes the pairs in the folder `counts` of interaction_counts to the file `pairs`, by number."""
        viewers, nested, authors = (Table.open(counts, TRAINING_SCOPE, key) for key in ("viewer", "pair", "author"))
        found = [table.column(batch, "hash") for table in (viewers, authors) for batch in range(len(table.batches))]
        users = np.unique(np.concatenate(found))
        sums = np.zeros((2, len(users) + 1))
        with pq.ParquetWriter(pairs, _PAIRS, compression="zstd") as writer:
            for batch in range(len(viewers.batches)):
                ends = viewers.column(batch, "pair_end")
                sizes = np.diff(ends, prepend=0)
                viewer = np.repeat(np.searchsorted(users, viewers.column(batch, "hash")) + 1, sizes).astype(np.int32)
                author = (np.searchsorted(users, nested.column(batch, "value")) + 1).astype(np.int32)
                exposures = nested.column(batch, "exposures")
                for role, numbers in zip(sums, (viewer, author), strict=True):
                    np.add.at(role, numbers, np.log1p(exposures))
                writer.write_table(pa.table([viewer, author, exposures], schema=_PAIRS))
        return cls(pairs, users, *sums)

    def blocks(self, most_pairs: int = BLOCK_PAIRS) -> Iterator[Block]:
        """Yields all pairs, by viewer, in blocks of about `most_pairs`, or more if one viewer has more."""
        viewer_scale, author_scale = (1 / np.sqrt(sums + SHRINKAGE) for sums in (self.viewers, self.authors))
        for viewer, author, exposures in _whole_viewers(self.pairs, most_pairs):
            starts = _starts(viewer)
            weights = np.log1p(exposures) * viewer_scale[viewer] * author_scale[author]
            yield Block(viewer[starts[:-1]], starts, author, weights.astype(np.float32))


def _starts(numbers: Integers) -> npt.NDArray[np.int64]:
    """Returns the starts of the runs of equal numbers, and the end: int64 [runs + 1]."""
    return np.append(np.flatnonzero(np.diff(numbers, prepend=ABSENT)), len(numbers))


def _whole_viewers(path: Path, most_pairs: int) -> Iterator[tuple[Integers, Integers, Integers]]:
    """Yields viewers, authors and exposures of the pairs of the file, cut only between viewers."""
    held = np.zeros((3, 0), np.int32)
    with pq.ParquetFile(path) as file:
        for table in batches(file, most_pairs, _PAIRS.names):
            held = np.concatenate([held, [column.to_numpy() for column in table.columns]], axis=1)
            last = int(np.searchsorted(held[0], held[0, -1]))
            if last:
                yield held[0, :last], held[1, :last], held[2, :last]
            held = held[:, last:]
    if held.size:
        yield held[0], held[1], held[2]
