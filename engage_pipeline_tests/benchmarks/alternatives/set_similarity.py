"""Author similarity with SetSimilaritySearch."""

from collections import defaultdict

import numpy as np
from SetSimilaritySearch import all_pairs


def similar_authors(
    author: np.ndarray, viewer: np.ndarray, *, top_n: int, threshold: float
) -> dict[int, list[tuple[float, int]]]:
    """For each author with a similar one: jaccard and number of the best, the author itself counted and left out."""
    followers: dict[int, set[int]] = defaultdict(set)
    for one, other in zip(author.tolist(), viewer.tolist(), strict=True):
        followers[one].add(other)
    names = list(followers)
    found: dict[int, list[tuple[float, int]]] = defaultdict(list)
    pairs = all_pairs(list(followers.values()), similarity_func_name="jaccard", similarity_threshold=threshold)
    for one, other, score in pairs:
        found[names[one]].append((score, names[other]))
        found[names[other]].append((score, names[one]))
    return {name: sorted(similar, key=lambda pair: (-pair[0], pair[1]))[: top_n - 1] for name, similar in found.items()}
