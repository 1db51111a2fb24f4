"""Similar authors: all pairs of authors with a Jaccard similarity of their follower sets above a threshold.

An author's followers are the viewers of its training rows where engagee_follows_engager is true. An author is compared
with those alone whom one of its followers follows, too. Ranges of authors, of about the same number of comparisons, are
items of engines.tasks. What does not belong here: the follower sets (graphs.followers), the loop
(graphs.common_followers), and what the scores are for.
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
from engage_pipeline.interactions.graphs.followers import Followers, author_ids, read_follows, write_followers
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
COMPARISONS = 20_000_000
"""Of an item, unless one author alone has more: about a tenth of a second."""
PAIRS_AT_ONCE = 131_072
"""Room for so many pairs, or those of one author."""
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
        (ranges,) = map_items("followers", _write_followers, [scratch], settings)
        items = [_Item(scratch, *authors, top_n, threshold) for authors, _ in ranges]
        map_items("author_similarity", _write_pairs, items, settings, [follows for _, follows in ranges])
        (facts,) = map_items("similar_authors", _write_table, [(scratch, items, output, top_n)], settings)
    return facts


def planned(followers: Followers, comparisons: int = COMPARISONS) -> list[tuple[int, int]]:
    """Cuts the authors into ranges [start, stop) of at most `comparisons`; an author with more is its own range."""
    reached = np.concatenate([[0], np.cumsum(np.diff(followers.viewer_starts)[followers.viewers])])[followers.starts]
    ranges, start, authors = [], 0, len(followers.sizes)
    while start < authors:
        stop = max(int(np.searchsorted(reached, reached[start] + comparisons, side="right")) - 1, start + 1)
        ranges.append((start, stop))
        start = stop
    return ranges


def pairs_of(followers: Followers, start: int, stop: int, top_n: int, threshold: float) -> Iterator[Pairs]:
    """Yields the similar pairs of the authors `start` … `stop` - 1; ties are broken by id."""
    from engage_pipeline.interactions.graphs.common_followers import Found, most_similar

    authors = len(followers.sizes)
    most = min(top_n, authors) - 1
    at_once = max(PAIRS_AT_ONCE // max(most, 1), 1)
    found = Found(*(np.empty(at_once * most, dtype) for dtype in (np.int64, np.int64, np.float64, np.int64)))
    shared, met = np.zeros(authors, np.int32), np.empty(authors, np.int32)
    for first in range(start, stop, at_once):
        last = min(first + at_once, stop)
        count = most_similar(first, last, most, threshold, followers, shared, met, found)
        yield Pairs(*(column[:count].copy() for column in found))


@dataclass(frozen=True)
class _Item:
    """Authors whose pairs are written to a file in `folder`."""

    folder: Path
    start: int
    stop: int
    top_n: int
    threshold: float

    @property
    def pairs(self) -> Path:
        return self.folder / f"pairs-{self.start}.parquet"


def _write_followers(_: Settings, folder: Path) -> list[tuple[tuple[int, int], int]]:
    """Returns ranges of authors, and how many follows each has."""
    followers = write_followers(folder)
    starts = followers.starts
    return [((start, stop), int(starts[stop] - starts[start])) for start, stop in planned(followers)]


def _write_pairs(_: Settings, item: _Item) -> None:
    found = list(pairs_of(Followers.open(item.folder), item.start, item.stop, item.top_n, item.threshold))
    columns = {name: _joined(found, name) for name in PAIR_COLUMNS}
    pq.write_table(pa.table(columns), item.pairs, compression="zstd")


def _write_table(_: Settings, work: tuple[Path, list[_Item], Path, int]) -> dict[str, Any]:
    folder, items, output, top_n = work
    followers = Followers.open(folder)
    tables = [pq.read_table(item.pairs) for item in items]
    found = [Pairs(*(table[name].to_numpy() for name in PAIR_COLUMNS)) for table in tables]
    table = _table(author_ids(folder), followers.place, found)
    pq.write_table(table, output, compression="zstd")
    write_edges(table, output.parent)
    authors = len(followers.sizes)
    most = max(min(top_n, authors), 1)
    degrees = np.bincount(np.bincount(_joined(found, "author"), minlength=authors), minlength=most)
    return {
        "authors": authors,
        "follows": int(followers.sizes.sum()),
        "edges": table.num_rows,
        "degrees": {str(degree): int(count) for degree, count in enumerate(degrees)},
    }


def _joined(found: Sequence[Pairs], name: str) -> npt.NDArray[Any]:
    empty = np.empty(0, np.float64 if name == "jaccard" else np.int64)
    return np.concatenate([empty, *(getattr(pairs, name) for pairs in found)])


def _table(authors: pa.Array, place: Integers, found: Sequence[Pairs]) -> pa.Table:
    author, similar, jaccard, rank = (_joined(found, name) for name in ("author", "similar", "jaccard", "rank"))
    order = np.lexsort((rank, place[author]))
    columns = [authors.take(pa.array(author[order])), authors.take(pa.array(similar[order])), jaccard[order]]
    return pa.table([*columns, pa.array(rank[order], pa.int32())], schema=SCHEMA)
