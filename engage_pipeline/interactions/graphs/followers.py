"""The follower sets of authors as lists of numbers, in files of one folder that are opened by memory map.

What does not belong here: who is similar to whom (graphs.similarity).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline.engines.opening import open_engine
from engage_pipeline.settings.settings import Settings

Integers = npt.NDArray[np.int64]
_AUTHORS, _EDGES = "follower_authors.parquet", "follower_edges.parquet"


class Followers(NamedTuple):
    """Who follows whom; authors are numbered in the order of `sizes`, their numbers of followers (rising).

    `place` is each author's place in the order of ids. The followers of author a are `viewers[starts[a] : starts[a +
    1]]`, without those who follow one author only; the authors whom viewer v follows are `authors[viewer_starts[v] :
    viewer_starts[v + 1]]`, rising. `viewers` and `authors` are int32, all others int64.
    """

    sizes: Integers
    place: Integers
    starts: Integers
    viewers: npt.NDArray[np.int32]
    viewer_starts: Integers
    authors: npt.NDArray[np.int32]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens the files that write_followers wrote."""
        return cls(*(_read(folder, name) for name in cls._fields))


def author_ids(folder: Path) -> pa.Array:
    """Reads the ids of the authors, in the order of their numbers, from what write_followers wrote."""
    return _ids(folder).take(pa.array(_read(folder, "order")))


def read_follows(tweets: Sequence[Path], folder: Path, settings: Settings) -> None:
    """Writes authors and follows of the rows in the Parquet files `tweets` to `folder`."""
    with open_engine(settings, readable=sorted({folder, *(path.parent for path in tweets)})) as engine:
        engine.read("source", tweets)
        engine.view("followers", "interactions/followers.sql")
        for name in ("follower_authors", "follower_viewers"):
            engine.number(name, f"interactions/{name}.sql")
        engine.write("interactions/follower_ids.sql", folder / _AUTHORS)
        engine.write("interactions/follower_edges.sql", folder / _EDGES)


def write_followers(folder: Path) -> Followers:
    """Writes the lists of what read_follows wrote, and opens them."""
    ids, edges = _ids(folder), pq.read_table(folder / _EDGES)
    author, viewer = (edges[name].to_numpy() for name in ("author", "viewer"))
    sizes = np.bincount(author, minlength=len(ids))
    order = np.argsort(sizes, kind="stable")
    place = _inverse(pc.sort_indices(ids).to_numpy())[order]
    lists = _lists(_inverse(order).astype(np.int32)[author], viewer, len(order))
    arrays = dict(zip(Followers._fields, (sizes[order], place, *lists), strict=True))
    for name, array in (arrays | {"order": order}).items():
        _write(folder, name, array)
    return Followers.open(folder)


def _write(folder: Path, name: str, array: npt.NDArray) -> None:
    batch = pa.record_batch([pa.array(array)], names=[name])
    with pa.ipc.new_file(str(folder / f"{name}.arrow"), batch.schema) as writer:
        writer.write_batch(batch)


def _read(folder: Path, name: str) -> npt.NDArray:
    return pa.ipc.open_file(pa.memory_map(str(folder / f"{name}.arrow"))).get_batch(0)[name].to_numpy()


def _ids(folder: Path) -> pa.Array:
    return pq.read_table(folder / _AUTHORS)["author"].combine_chunks()


def _inverse(order: npt.NDArray) -> Integers:
    """Returns the place of each number in `order`."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def _lists(author: npt.NDArray[np.int32], viewer: npt.NDArray[np.int32], authors: int) -> list[npt.NDArray]:
    """Returns the lists of Followers; a viewer who follows one author only adds to no similarity."""
    from scipy.sparse import csr_array

    shared = np.bincount(viewer, minlength=1) > 1
    column = np.cumsum(shared, dtype=np.int32) - 1
    kept = shared[viewer]
    author, viewer = author[kept], column[viewer[kept]]
    follows = csr_array((np.ones(len(author), np.int8), (author, viewer)), shape=(authors, int(shared.sum())))
    both = (follows, follows.T.tocsr())
    return [array for one in both for array in (one.indptr.astype(np.int64), one.indices.astype(np.int32))]
