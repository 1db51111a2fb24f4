"""Follower graphs of known sizes, as the narrow columns of training rows that author similarity reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 1


@dataclass(frozen=True)
class Graph:
    """`edges` distinct follows among `authors` and `viewers`, whose popularity is log-normal (sigma 1);
    and one more author whom `hub` viewers follow."""

    authors: int
    viewers: int
    edges: int
    hub: int = 0


GRAPHS = {
    "24000": Graph(24_000, 80_000, 380_000),
    "10m": Graph(500_000, 2_000_000, 10_000_000),
    "hub": Graph(24_000, 1_000_000, 380_000, hub=1_000_000),
}


def draw_edges(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Author and viewer numbers (int64) of the follows, each once; the hub has the number `authors`."""
    rng = np.random.default_rng(SEED)
    authors, viewers = (_shares(rng, count) for count in (graph.authors, graph.viewers))
    codes = np.empty(0, np.int64)
    while len(codes) < graph.edges:
        drawn = graph.edges + graph.edges // 10
        # In order they are found faster than one here, one there.
        author = np.searchsorted(authors, np.sort(rng.random(drawn)))
        viewer = rng.permutation(np.searchsorted(viewers, np.sort(rng.random(drawn))))
        codes = np.unique(np.concatenate([codes, author * graph.viewers + viewer]))
    codes = np.sort(rng.choice(codes, graph.edges, replace=False))
    author, viewer = np.divmod(codes, graph.viewers)
    return np.append(author, np.full(graph.hub, graph.authors)), np.append(viewer, np.arange(graph.hub))


def _shares(rng: np.random.Generator, count: int) -> np.ndarray:
    """Running sum of log-normal shares, float64 [count]."""
    weights = rng.lognormal(sigma=1.0, size=count)
    reached = np.cumsum(weights) / weights.sum()
    reached[-1] = 1.0
    return reached


def write_graph(graph: Graph, path: Path) -> int:
    """Writes the graph's follows as rows; returns how many."""
    author, viewer = draw_edges(graph)
    columns = {
        "engaged_with_user_id": _ids(author, "A"),
        "engaging_user_id": _ids(viewer, "B"),
        "engagee_follows_engager": pa.array(np.full(len(author), True)),
    }
    pq.write_table(pa.table(columns), path, compression="zstd", row_group_size=122_880)
    return len(author)


def _ids(numbers: np.ndarray, prefix: str) -> pa.Array:
    """Ids of 32 characters."""
    known, places = np.unique(numbers, return_inverse=True)
    names = pa.array([f"{prefix}{number:031d}" for number in known.tolist()])
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), names).cast(pa.string())
