"""Similar authors: all pairs of authors with a Jaccard similarity of their follower sets above a threshold.

An author's followers are the viewers of its training rows where engagee_follows_engager is true. The sizes of the
intersections are a product of sparse matrices, computed in blocks of authors of bounded size. Authors are ordered by
their number of followers: two sets of too different sizes can't reach the threshold, so a block is multiplied with one
contiguous range of authors only. Blocks are items of engines.tasks. What does not belong here: the
follower sets (graphs.followers), and what the scores are for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.engines.tasks import map_items
from engage_pipeline.files import atomic
from engage_pipeline.interactions.graphs.edges import write_edges
from engage_pipeline.interactions.graphs.followers import Followers, read_follows, write_matrix
from engage_pipeline.machine.spill import SHARDS_PREFIX, spill_folder
from engage_pipeline.settings.settings import Settings

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
BLOCKS_AN_ITEM = 64
"""Blocks of one item, which share one transposed copy of the authors that may be similar."""
PAIR_COLUMNS = ("author", "similar", "jaccard", "rank")


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
    with atomic.scratch_folder(spill_folder(settings), SHARDS_PREFIX) as scratch:
        read_follows(tweets, scratch, settings)
        (blocks,) = map_items("follower_matrix", _matrix_blocks, [(scratch, threshold)], settings)
        items = [_Item(scratch, number, each, top_n, threshold) for number, each in enumerate(blocks)]
        authors = [sum(stop - start for start, stop in each.bounds) for each in blocks]
        map_items("author_similarity", _write_pairs, items, settings, authors)
        (facts,) = map_items("similar_authors", _write_table, [(scratch, len(items), output, top_n)], settings)
    return facts


@dataclass(frozen=True)
class Blocks:
    """Blocks of authors, each [start, end), with the range of authors [first, last) that may be similar to them."""

    first: int
    last: int
    bounds: Sequence[tuple[int, int]]


def planned(
    followers: Followers, threshold: float, most_products: int = MOST_PRODUCTS, blocks_an_item: int = BLOCKS_AN_ITEM
) -> Iterator[Blocks]:
    """Yields all authors as blocks of at most `most_products`, `blocks_an_item` of them together."""
    matrix = followers.matrix
    cost = matrix @ np.bincount(matrix.indices, minlength=matrix.shape[1])
    for lowest, highest, first, last in _ranges(followers.sizes, threshold):
        bounds = list(_blocks(cost, lowest, highest, most_products))
        for start in range(0, len(bounds), blocks_an_item):
            yield Blocks(first, last, bounds[start : start + blocks_an_item])


def pairs_of(followers: Followers, blocks: Blocks, top_n: int, threshold: float) -> Iterator[Pairs]:
    """Yields the similar pairs of each block; ties are broken by id."""
    matrix, sizes = followers.matrix, followers.sizes
    others = matrix[blocks.first : blocks.last].T.tocsr()
    for start, stop in blocks.bounds:
        shared = (matrix[start:stop] @ others).tocoo()
        row, column = shared.row.astype(np.int64) + start, shared.col.astype(np.int64) + blocks.first
        jaccard = shared.data / (sizes[row] + sizes[column] - shared.data)
        kept = (jaccard >= threshold) & (row != column)
        yield _top(row[kept], column[kept], jaccard[kept], followers.place, top_n - 1)


@dataclass(frozen=True)
class _Item:
    """Blocks whose pairs are written to the file with the number `number` in `folder`."""

    folder: Path
    number: int
    blocks: Blocks
    top_n: int
    threshold: float


def _matrix_blocks(_: Settings, item: tuple[Path, float]) -> list[Blocks]:
    folder, threshold = item
    return list(planned(write_matrix(folder), threshold))


def _write_pairs(_: Settings, item: _Item) -> None:
    found = list(pairs_of(Followers.open(item.folder), item.blocks, item.top_n, item.threshold))
    columns = {name: _joined(found, name) for name in PAIR_COLUMNS}
    pq.write_table(pa.table(columns), item.folder / f"pairs-{item.number}.parquet", compression="zstd")


def _write_table(_: Settings, item: tuple[Path, int, Path, int]) -> dict[str, Any]:
    folder, files, output, top_n = item
    followers = Followers.open(folder)
    tables = [pq.read_table(folder / f"pairs-{number}.parquet") for number in range(files)]
    found = [Pairs(*(table[name].to_numpy() for name in PAIR_COLUMNS)) for table in tables]
    table = _table(followers.ids(), followers.place, found)
    pq.write_table(table, output, compression="zstd")
    write_edges(table, output.parent)
    degrees = np.bincount(np.bincount(_joined(found, "author"), minlength=len(followers.sizes)), minlength=top_n)
    return {
        "authors": len(followers.sizes),
        "follows": int(followers.sizes.sum()),
        "edges": table.num_rows,
        "degrees": {str(degree): int(count) for degree, count in enumerate(degrees)},
    }


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
