"""The loop that adds up what viewers did with authors similar to those of their rows, compiled by numba."""

from typing import NamedTuple

import numpy as np

from engage_pipeline.interactions.shards.ranges import place_of
from engage_pipeline.numerics.compilation import compiled, compiled_within


class PairTable(NamedTuple):
    """Pairs of viewer and author, ordered by both: see `leaving_out.Pairs`, whose `groups`, `values`, `order`, `folds`,
    `total` and `by_fold` these are. The rows of pair i are at starts[i] … starts[i + 1] - 1 of `order`, its folds at
    fold_starts[i] … fold_starts[i + 1] - 1 of `folds`."""

    viewers: np.ndarray
    authors: np.ndarray
    starts: np.ndarray
    order: np.ndarray
    fold_starts: np.ndarray
    folds: np.ndarray
    total: np.ndarray
    by_fold: np.ndarray


class EdgeTable(NamedTuple):
    """The edges of the author of pair i are at starts[places[i]] … + sizes[places[i]] - 1 of `similar` and `scores`; it
    has none if places[i] is -1."""

    places: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    similar: np.ndarray
    scores: np.ndarray


@compiled()
def add_similar(pairs: PairTable, edges: EdgeTable, folds: np.ndarray, sums: np.ndarray) -> None:
    """Adds to `sums` int64 [rows, ENGAGEMENTS] the scores of authors similar to each row's author times the engagements
    of its viewer with them on rows of other folds; `folds` int32 [rows]."""
    first = last = 0
    seen = np.uint64(0)  # by the lower bits of its authors: most similar authors are none of a viewer's
    for pair in range(len(pairs.viewers)):
        if pair == last:
            first, seen = pair, np.uint64(0)
            while last < len(pairs.viewers) and pairs.viewers[last] == pairs.viewers[pair]:
                seen |= _bit(pairs.authors[last])
                last += 1
        place = edges.places[pair]
        if place < 0:
            continue
        for edge in range(edges.starts[place], edges.starts[place] + edges.sizes[place]):
            wanted = edges.similar[edge]
            if seen & _bit(wanted):
                other = place_of(wanted, pairs.authors, first, last)
                if other >= 0:
                    _add_one(pairs, pair, other, edges.scores[edge], folds, sums)


@compiled_within()
def _bit(number: np.uint64) -> np.uint64:
    return np.uint64(1) << (number & np.uint64(63))


@compiled_within()
def _add_one(pairs: PairTable, pair: int, other: int, score: int, folds: np.ndarray, sums: np.ndarray) -> None:
    """Adds the engagements of the pair `other` x `score` to each row of `pair`, without those of the row's fold."""
    for at in range(pairs.starts[pair], pairs.starts[pair + 1]):
        row = pairs.order[at]
        for engagement in range(sums.shape[1]):
            sums[row, engagement] += np.int64(pairs.total[engagement, other]) * score
        own = place_of(folds[row], pairs.folds, pairs.fold_starts[other], pairs.fold_starts[other + 1])
        if own >= 0:
            for engagement in range(sums.shape[1]):
                sums[row, engagement] -= np.int64(pairs.by_fold[engagement, own]) * score
