"""The edges of author_similarity by the hashes of the authors, in files that are opened by memory map.

What does not belong here: who is similar to whom (graphs.similarity), and what the scores are for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.shards.grouping import lengths_of, starts_of
from engage_pipeline.numerics.fingerprints import hashes
from engage_pipeline.numerics.sorting import places_in

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.int64]
SCORE_UNITS = 1e12
"""Scores are added as integers of 1e-12, so that sums do not depend on their order."""
EDGES, EDGE_AUTHORS = "edges.arrow", "edge_authors.arrow"
"""similar uint64 and score int64 by author; author uint64, rising, and start, size and sum of its edges, int64."""


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
    def open(cls, folder: Path) -> Self:
        """Opens the files that write_edges wrote. Raises UserError if there are none."""
        authors, edges = (_column_reader(folder / name) for name in (EDGE_AUTHORS, EDGES))
        return cls(
            authors("author"), authors("start"), authors("size"), edges("similar"), edges("score"), authors("sum")
        )

    def find(self, authors: Hashes) -> Positions:
        """Returns the place of each author [n], int64 [n]; -1 if it has no edge."""
        if not len(self.authors):
            return np.full(len(authors), -1)
        found = np.minimum(places_in(self.authors, authors), len(self.authors) - 1)
        return np.where(self.authors[found] == authors, found, -1)

    def expanded(self, places: Positions) -> tuple[Positions, Positions]:
        """Returns the edges of the authors at `places` [n]: the index in `places` and the edge of each."""
        sizes = self.sizes[places]
        ends = np.cumsum(sizes)
        of = np.repeat(np.arange(len(places)), sizes)
        return of, np.arange(len(of)) + np.repeat(self.starts[places] - (ends - sizes), sizes)


def write_edges(similar: pa.Table, folder: Path) -> None:
    """Writes author, similar, jaccard of all pairs to EDGES and EDGE_AUTHORS in `folder`."""
    author, other = (hashes(similar[name]) for name in ("author", "similar"))
    order = np.lexsort((other, author))
    author, other = author[order], other[order]
    score = np.round(similar["jaccard"].to_numpy()[order] * SCORE_UNITS).astype(np.int64)
    starts = starts_of(author)
    total = np.add.reduceat(score, starts) if len(starts) else score
    sizes = lengths_of(starts, len(author))
    _write(folder / EDGE_AUTHORS, {"author": author[starts], "start": starts, "size": sizes, "sum": total})
    _write(folder / EDGES, {"similar": other, "score": score})


def _write(path: Path, columns: Mapping[str, npt.NDArray]) -> None:
    batch = pa.record_batch([pa.array(column) for column in columns.values()], names=list(columns))
    with pa.ipc.new_file(str(path), batch.schema) as writer:
        writer.write_batch(batch)


def _column_reader(path: Path) -> Callable[[str], npt.NDArray]:
    """Returns a function that returns a column of the only batch of a file, without a copy."""
    try:
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; materialize author_similarity again") from error
    return lambda name: batch[name].to_numpy()
