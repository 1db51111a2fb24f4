"""What the viewer of each row of a shard did with authors similar to the row's author, on other days."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engage_pipeline.interactions.graphs.edges import Edges
from engage_pipeline.interactions.shards.leaving_out import Pairs, Shard
from engage_pipeline.schema import ENGAGEMENTS

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """Rows with such engagements: `rows` int64 [k], rising, and `values` int64 [ENGAGEMENTS, k], in SCORE_UNITS."""

    rows: Positions
    values: npt.NDArray[np.int64]


def similar_engagements(shard: Shard, pairs: Pairs, edges: Edges) -> Scored:
    """Returns the engagements of each row's viewer with similar authors x scores, without those of the row's fold."""
    from engage_pipeline.interactions.shards.similar_sums import EdgeTable, PairTable, add_similar

    starts = np.append(pairs.starts, len(pairs.order))
    fold_starts = np.append(np.searchsorted(pairs.fold_starts, pairs.starts), len(pairs.fold_starts))
    table = PairTable(
        pairs.groups, pairs.values, starts, pairs.order, fold_starts, pairs.folds, pairs.total, pairs.by_fold
    )
    graph = EdgeTable(edges.find(pairs.values), edges.starts, edges.sizes, edges.similar, edges.scores)
    values = np.zeros((len(shard.rows), len(ENGAGEMENTS)), np.int64)
    add_similar(table, graph, shard.folds, values)
    rows = np.flatnonzero(values.any(axis=1))
    return Scored(rows, np.ascontiguousarray(values[rows].T))
