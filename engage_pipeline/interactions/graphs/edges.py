"""The edges of author_similarity by hash, and what a viewer did with the authors similar to a row's author."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from engage_pipeline.interactions.shards.grouping import lengths_of, starts_of
from engage_pipeline.numerics.fingerprints import hashes

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.int64]
SCORE_UNITS = 1e12
"""Scores are added as integers of 1e-12, so that sums do not depend on their order."""


@dataclass(frozen=True)
class Edges:
    """`authors` uint64 [a], rising; the edges of author i are at starts[i] … starts[i] + sizes[i] - 1 of `similar`
    uint64 [edges] and `scores` int64 [edges], in SCORE_UNITS. `sums` int64 [a] are the sums of scores."""

    authors: Hashes
    starts: Positions
    sizes: Positions
    similar: Hashes
    scores: Scores
    sums: Scores

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads the file of similar authors (graphs.similarity)."""
        table = pq.read_table(path, columns=["author", "similar", "jaccard"], read_dictionary=["author", "similar"])
        author, similar = (hashes(table[name].cast("string")) for name in ("author", "similar"))
        order = np.lexsort((similar, author))
        author, similar = author[order], similar[order]
        scores = np.round(table["jaccard"].to_numpy()[order] * SCORE_UNITS).astype(np.int64)
        starts = starts_of(author)
        sums = np.add.reduceat(scores, starts) if len(starts) else scores
        return cls(author[starts], starts, lengths_of(starts, len(author)), similar, scores, sums)

    def find(self, authors: Hashes) -> Positions:
        """Returns the place of each author [n], int64 [n]; -1 if it has no edge."""
        if not len(self.authors):
            return np.full(len(authors), -1)
        found = np.minimum(np.searchsorted(self.authors, authors), len(self.authors) - 1)
        return np.where(self.authors[found] == authors, found, -1)

    def expanded(self, places: Positions) -> tuple[Positions, Positions]:
        """Returns the edges of the authors at `places` [n]: the index in `places` and the edge of each."""
        sizes = self.sizes[places]
        ends = np.cumsum(sizes)
        of = np.repeat(np.arange(len(places)), sizes)
        return of, np.arange(len(of)) + np.repeat(self.starts[places] - (ends - sizes), sizes)
