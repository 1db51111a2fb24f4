"""What the viewer of each row of a shard did with authors similar to the row's author, on other days."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engage_pipeline.interactions.counters.tables import search
from engage_pipeline.interactions.graphs.edges import Edges
from engage_pipeline.interactions.shards.grouping import lengths_of
from engage_pipeline.interactions.shards.leaving_out import Pairs, Shard
from engage_pipeline.numerics.sorting import unique_places
from engage_pipeline.schema import ENGAGEMENTS

Positions = npt.NDArray[np.int64]
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_FILTER_BITS = 24
_ENGAGED = slice(0, len(ENGAGEMENTS))


@dataclass(frozen=True)
class Scored:
    """Rows with such engagements: `rows` int64 [k], rising, and `values` int64 [ENGAGEMENTS, k], in SCORE_UNITS."""

    rows: Positions
    values: npt.NDArray[np.int64]


def similar_engagements(shard: Shard, pairs: Pairs, edges: Edges) -> Scored:
    """Returns the engagements of each row's viewer with similar authors x scores, without those of the row's fold."""
    pair, engaged, score = _hits(pairs, edges)
    bounds = np.append(pairs.starts, len(pairs.order))
    sizes = lengths_of(pairs.starts, len(pairs.order))[pair]
    hit = np.repeat(np.arange(len(pair)), sizes)
    ends = np.cumsum(sizes)
    rows = pairs.order[np.arange(len(hit)) + np.repeat(bounds[pair] - (ends - sizes), sizes)]
    first_folds = np.append(np.searchsorted(pairs.fold_starts, pairs.starts), len(pairs.fold_starts))
    own = search(
        pairs.folds.astype(np.uint64), first_folds[engaged[hit]], first_folds[engaged[hit] + 1],
        shard.folds[rows].astype(np.uint64),
    )  # fmt: skip
    counts = pairs.total[_ENGAGED][:, engaged[hit]].astype(np.int64)
    same = own >= 0
    counts[:, same] -= pairs.by_fold[_ENGAGED][:, own[same]]
    some, places = unique_places(rows)
    values = np.zeros((len(ENGAGEMENTS), len(some)), np.int64)
    for value, count in zip(values, counts, strict=True):
        np.add.at(value, places, count * score[hit])
    kept = values.any(axis=0)
    return Scored(some[kept], values[:, kept])


def _hits(pairs: Pairs, edges: Edges) -> tuple[Positions, Positions, npt.NDArray[np.int64]]:
    """Returns pairs of viewer and author, pairs of the viewer and a similar author with an engagement, and scores."""
    places = edges.find(pairs.values)
    some = np.flatnonzero(places >= 0)
    of, edge = edges.expanded(places[some])
    pair, similar = some[of], edges.similar[edge]
    engaged = pairs.total[_ENGAGED].any(axis=0)
    seen = np.zeros(1 << _FILTER_BITS, np.bool_)
    seen[_spread(pairs.groups[engaged], pairs.values[engaged])] = True
    kept = np.flatnonzero(seen[_spread(pairs.groups[pair], similar)])
    pair, similar, edge = pair[kept], similar[kept], edge[kept]
    of_group = (
        np.searchsorted(pairs.groups, pairs.groups[pair]),
        np.searchsorted(pairs.groups, pairs.groups[pair], "right"),
    )
    found = search(pairs.values, *of_group, similar)
    right = np.flatnonzero(found >= 0)
    return pair[right], found[right], edges.scores[edge[right]]


def _spread(groups: npt.NDArray[np.int32], values: npt.NDArray[np.uint64]) -> Positions:
    """Returns cells of a filter, in which pairs with an engagement are marked."""
    mixed = (values ^ (groups.astype(np.uint64) * _SPREAD)) * _SPREAD
    return (mixed >> np.uint64(64 - _FILTER_BITS)).astype(np.int64)
