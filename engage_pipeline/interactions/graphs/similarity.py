"""Similar authors: all pairs of authors with a Jaccard similarity of their follower sets above a threshold.

An author's followers are the viewers of its training rows where engagee_follows_engager is true. The sizes of the
intersections are a product of sparse matrices, computed in blocks of authors of bounded size. Authors are ordered by
their number of followers: two sets of too different sizes can't reach the threshold, so a block is multiplied with one
contiguous range of authors only. What does not belong here: what the scores are for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline.engines.opening import open_engine
from engage_pipeline.interactions.graphs.edges import write_edges
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SIMILAR_AUTHORS = "similar_authors.parquet"
SCHEMA = pa.schema(
    [
        pa.field("author", pa.string(), nullable=False),
        pa.field("similar", pa.string(), nullable=False),
        pa.field("jaccard", pa.float64(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
    ]
)
MOST_PRODUCTS = 4_000_000
"""Largest number of multiply-adds of a block, hence of entries of its product; these take about 60 bytes each."""


@dataclass(frozen=True)
class Followers:
    """Who follows whom.

    `authors` are ids, ordered by `sizes`, their numbers of followers (int64, rising). `matrix` (int32 [authors,
    viewers], 1 if the viewer follows the author) leaves out viewers who follow one author only.
    """

    authors: pa.Array
    sizes: Integers
    matrix: "csr_array"


@dataclass(frozen=True)
class Pairs:
    """Similar authors by number: parallel arrays, ordered by author and rank."""

    author: Integers
    similar: Integers
    jaccard: Floats
    rank: Integers


def similar_authors(
    tweets: Sequence[Path], output: Path, *, top_n: int, threshold: float, settings: Settings
) -> dict[str, Any]:
    """Writes author, similar, jaccard, rank of the training rows in the files `tweets` to the Parquet file `output`.

    The files of graphs.edges are written beside it.

    Each author gets its `top_n` - 1 most similar others with a Jaccard similarity of at least `threshold`; ties are
    broken by id. The rows are ordered by author and rank (from 0). Returns `authors` (with a follower), `follows`,
    `edges` (rows) and `degrees`: the number of authors by their number of similar ones.
    """
    followers = read_followers(tweets, output, settings)
    place = np.empty(len(followers.authors), np.int64)
    place[pc.sort_indices(followers.authors).to_numpy()] = np.arange(len(place))
    found: list[Pairs] = []
    with progress("author_similarity", len(place), "authors") as done:
        for start, stop, pairs in similar_blocks(followers, place, top_n, threshold):
            found.append(pairs)
            done.advance(stop - start)
    table = _table(followers.authors, place, found)
    pq.write_table(table, output, compression="zstd")
    write_edges(table, output.parent)
    degrees = np.bincount(np.bincount(_joined(found, "author"), minlength=len(place)), minlength=top_n)
    return {
        "authors": len(place),
        "follows": int(followers.sizes.sum()),
        "edges": table.num_rows,
        "degrees": {str(degree): int(count) for degree, count in enumerate(degrees)},
    }


def read_followers(tweets: Sequence[Path], output: Path, settings: Settings) -> Followers:
    """Reads the follower sets of the rows in the Parquet files `tweets`."""
    with open_engine(settings, readable=sorted({output.parent, *(path.parent for path in tweets)})) as engine:
        engine.read("source", tweets)
        engine.view("followers", "interactions/followers.sql")
        engine.define("follower_authors", "interactions/follower_authors.sql")
        engine.define("follower_viewers", "interactions/follower_viewers.sql")
        authors = engine.fetch("interactions/follower_authors.sql")["author"].combine_chunks()
        edges = engine.fetch("interactions/follower_edges.sql")
    author, viewer = (edges[name].to_numpy() for name in ("author", "viewer"))
    sizes = np.bincount(author, minlength=len(authors))
    order = np.argsort(sizes, kind="stable")
    return Followers(authors.take(pa.array(order)), sizes[order], _matrix(_inverse(order)[author], viewer, len(order)))


def _inverse(order: Integers) -> npt.NDArray[np.int32]:
    """Returns the place of each number in `order`."""
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place


def _matrix(author: npt.NDArray[np.int32], viewer: npt.NDArray[np.int32], authors: int) -> "csr_array":
    """Returns the matrix of Followers; a viewer who follows one author only adds to no similarity."""
    from scipy.sparse import csr_array

    follows = np.bincount(viewer, minlength=1)
    shared = follows > 1
    column = np.cumsum(shared, dtype=np.int32) - 1
    kept = shared[viewer]
    author, viewer = author[kept], column[viewer[kept]]
    return csr_array((np.ones(len(author), np.int32), (author, viewer)), shape=(authors, int(shared.sum())))


def similar_blocks(
    followers: Followers, place: Integers, top_n: int, threshold: float, most_products: int = MOST_PRODUCTS
) -> Iterator[tuple[int, int, Pairs]]:
    """Yields first author, end and similar pairs of each block of authors; `place` breaks ties."""
    matrix, sizes = followers.matrix, followers.sizes
    cost = matrix @ np.bincount(matrix.indices, minlength=matrix.shape[1])
    for lowest, highest, first, last in _ranges(sizes, threshold):
        others = matrix[first:last].T.tocsr()
        for start, stop in _blocks(cost, lowest, highest, most_products):
            shared = (matrix[start:stop] @ others).tocoo()
            row, column = shared.row.astype(np.int64) + start, shared.col.astype(np.int64) + first
            jaccard = shared.data / (sizes[row] + sizes[column] - shared.data)
            kept = (jaccard >= threshold) & (row != column)
            yield start, stop, _top(row[kept], column[kept], jaccard[kept], place, top_n - 1)


def _ranges(sizes: Integers, threshold: float) -> Iterator[tuple[int, int, int, int]]:
    """Yields ranges of authors of similar sizes, [lowest, highest), with those that may be similar, [first, last).

    A Jaccard similarity is at most the smaller size over the larger.
    """
    lowest = 0
    while lowest < len(sizes):
        highest = int(np.searchsorted(sizes, 2 * sizes[lowest], side="left"))
        first = int(np.searchsorted(sizes, np.floor(sizes[lowest] * threshold), side="left"))
        last = int(np.searchsorted(sizes, np.ceil(sizes[highest - 1] / threshold), side="right"))
        yield lowest, highest, first, last
        lowest = highest


def _blocks(cost: Integers, start: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """Cuts [start, end) into blocks whose `cost` adds up to at most `most`; an author above it is its own block."""
    reached = np.concatenate([[0], np.cumsum(cost[start:end])])
    low = 0
    while low < end - start:
        high = max(int(np.searchsorted(reached, reached[low] + most, side="right")) - 1, low + 1)
        yield start + low, start + high
        low = high


def _top(row: Integers, column: Integers, jaccard: Floats, place: Integers, most: int) -> Pairs:
    """Returns the `most` best pairs of each row, by score, ties by the place of the other author."""
    order = np.lexsort((place[column], -jaccard, row))
    row, column, jaccard = row[order], column[order], jaccard[order]
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    rank = np.arange(len(row)) - np.repeat(begins, np.diff(begins, append=len(row)))
    kept = rank < most
    return Pairs(row[kept], column[kept], jaccard[kept], rank[kept])


def _joined(found: Sequence[Pairs], name: str) -> npt.NDArray[Any]:
    empty = np.empty(0, np.float64 if name == "jaccard" else np.int64)
    return np.concatenate([empty, *(getattr(pairs, name) for pairs in found)])


def _table(authors: pa.Array, place: Integers, found: Sequence[Pairs]) -> pa.Table:
    author, similar, jaccard, rank = (_joined(found, name) for name in ("author", "similar", "jaccard", "rank"))
    order = np.lexsort((rank, place[author]))
    columns = [authors.take(pa.array(author[order])), authors.take(pa.array(similar[order])), jaccard[order]]
    return pa.table([*columns, pa.array(rank[order], pa.int32())], schema=SCHEMA)
