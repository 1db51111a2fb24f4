"""The follower sets of authors as a sparse matrix, in files of one folder that are opened by memory map.

What does not belong here: who is similar to whom (graphs.similarity).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engage_pipeline.engines.opening import open_engine
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Integers = npt.NDArray[np.int64]
_AUTHORS, _EDGES = "follower_authors.parquet", "follower_edges.parquet"
_MATRIX = ("data", "indices", "indptr")


@dataclass(frozen=True)
class Followers:
    """Who follows whom; authors are numbered in the order of `sizes`, their numbers of followers (int64, rising).

    `place` int64 [authors] is each author's place in the order of ids. `matrix` (int32 [authors, viewers], 1 if the
    viewer follows the author) leaves out viewers who follow one author only.
    """

    folder: Path
    sizes: Integers
    place: Integers
    matrix: "csr_array"

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens the files that write_matrix wrote."""
        from scipy.sparse import csr_array

        sizes, place, *matrix = (_read(folder, name) for name in ("sizes", "place", *_MATRIX))
        (viewers,) = _read(folder, "viewers").tolist()
        return cls(folder, sizes, place, csr_array(tuple(matrix), shape=(len(sizes), viewers)))

    def ids(self) -> pa.Array:
        """Reads the ids of the authors."""
        return _author_ids(self.folder).take(pa.array(_read(self.folder, "order")))


def read_follows(tweets: Sequence[Path], folder: Path, settings: Settings) -> None:
    """Writes authors and follows of the rows in the Parquet files `tweets` to `folder`."""
    with open_engine(settings, readable=sorted({folder, *(path.parent for path in tweets)})) as engine:
        engine.read("source", tweets)
        engine.view("followers", "interactions/followers.sql")
        engine.define("follower_authors", "interactions/follower_authors.sql")
        engine.define("follower_viewers", "interactions/follower_viewers.sql")
        engine.write("interactions/follower_authors.sql", folder / _AUTHORS)
        engine.write("interactions/follower_edges.sql", folder / _EDGES)


def write_matrix(folder: Path) -> Followers:
    """Writes the matrix of what read_follows wrote, and opens it."""
    authors = _author_ids(folder)
    edges = pq.read_table(folder / _EDGES)
    author, viewer = (edges[name].to_numpy() for name in ("author", "viewer"))
    sizes = np.bincount(author, minlength=len(authors))
    order = np.argsort(sizes, kind="stable")
    matrix = _matrix(_inverse(order).astype(np.int32)[author], viewer, len(order))
    place = _inverse(pc.sort_indices(authors).to_numpy())[order]
    arrays = {name: getattr(matrix, name) for name in _MATRIX}
    arrays |= {"sizes": sizes[order], "order": order, "place": place, "viewers": np.array([matrix.shape[1]])}
    for name, array in arrays.items():
        _write(folder, name, array)
    return Followers.open(folder)


def _write(folder: Path, name: str, array: npt.NDArray) -> None:
    batch = pa.record_batch([pa.array(array)], names=[name])
    with pa.ipc.new_file(str(folder / f"{name}.arrow"), batch.schema) as writer:
        writer.write_batch(batch)


def _read(folder: Path, name: str) -> npt.NDArray:
    return pa.ipc.open_file(pa.memory_map(str(folder / f"{name}.arrow"))).get_batch(0)[name].to_numpy()


def _author_ids(folder: Path) -> pa.Array:
    return pq.read_table(folder / _AUTHORS)["author"].combine_chunks()


def _inverse(order: npt.NDArray) -> Integers:
    """Returns the place of each number in `order`."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
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
