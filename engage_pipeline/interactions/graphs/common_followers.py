"""The loop over authors that counts the followers whom they share with others, compiled by numba."""

from math import ceil, floor
from typing import NamedTuple

import numpy as np

from engage_pipeline.interactions.graphs.followers import Followers
from engage_pipeline.numerics.compilation import compiled, compiled_within

_inner = compiled_within()


class Found(NamedTuple):
    """Pairs, with room for as many as there may be: `author`, `similar` and `rank` int64, `jaccard` float64."""

    author: np.ndarray
    similar: np.ndarray
    jaccard: np.ndarray
    rank: np.ndarray


@compiled()
def most_similar(
    start: int,
    stop: int,
    most: int,
    threshold: float,
    followers: Followers,
    shared: np.ndarray,
    met: np.ndarray,
    found: Found,
) -> int:
    """Finds the `most` others with the highest Jaccard similarities of at least `threshold` for each of the authors
    `start` … `stop` - 1; returns the number of pairs.

    `shared` and `met`, int32 [authors], are room to work in; `shared` is 0 before and after.
    """
    sizes, place = followers.sizes, followers.place
    n_found = 0
    for author in range(start, stop):
        begin, size = n_found, sizes[author]
        for number in range(_count_shared(author, threshold, followers, shared, met)):
            other = met[number]
            common = shared[other]
            shared[other] = 0
            score = common / (size + sizes[other] - common)
            if other != author and score >= threshold:
                n_found = _insert(other, score, begin, n_found, most, place, found)
        for at in range(begin, n_found):
            found.author[at], found.rank[at] = author, at - begin
    return n_found


@_inner
def _count_shared(author: int, threshold: float, followers: Followers, shared: np.ndarray, met: np.ndarray) -> int:
    """Counts into `shared` the followers that `author` has in common with each other author whose size allows the
    threshold; returns how many these are, and writes them to `met`."""
    sizes, _, starts, viewers, viewer_starts, authors = followers
    # A Jaccard similarity is at most the smaller size over the larger.
    first = np.searchsorted(sizes, floor(sizes[author] * threshold))
    last = np.searchsorted(sizes, ceil(sizes[author] / threshold), side="right")
    n_met = 0
    for follow in range(starts[author], starts[author + 1]):
        viewer = viewers[follow]
        for followed in range(viewer_starts[viewer], viewer_starts[viewer + 1]):
            other = authors[followed]
            if other >= last:
                break
            if other >= first:
                if shared[other] == 0:
                    met[n_met] = other
                    n_met += 1
                shared[other] += 1
    return n_met


@_inner
def _insert(other: int, score: float, begin: int, end: int, most: int, place: np.ndarray, found: Found) -> int:
    """Inserts a pair into those from `begin` to `end`, the best first, ties by `place`; returns the new end. Beyond
    `most` the last one falls out."""
    at = end
    if end - begin < most:
        end += 1
    elif most == 0 or not _is_better(other, score, at - 1, place, found):
        return end
    else:
        at -= 1
    while at > begin and _is_better(other, score, at - 1, place, found):
        found.similar[at], found.jaccard[at] = found.similar[at - 1], found.jaccard[at - 1]
        at -= 1
    found.similar[at], found.jaccard[at] = other, score
    return end


@_inner
def _is_better(other: int, score: float, at: int, place: np.ndarray, found: Found) -> bool:
    """Returns whether a pair comes before the one at `at`."""
    if score == found.jaccard[at]:
        return place[other] < place[found.similar[at]]
    return score > found.jaccard[at]
