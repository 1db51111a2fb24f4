"""Clusters of vectors: mini-batch k-means, nearest centroids, and size distributions."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]

_BATCH_ROWS = 4096
_BLOCK_SCORES = 8_000_000
"""Scores held at once, 4 bytes each."""


def fit_centroids(vectors: Floats, count: int, *, seed: int) -> Floats:
    """Fits min(count, n) centroids, float32 [clusters, dim], to `vectors` [n, dim]."""
    if len(vectors) == 0:
        return np.zeros((0, vectors.shape[1]), np.float32)
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    kmeans = MiniBatchKMeans(min(count, len(vectors)), batch_size=_BATCH_ROWS, n_init=1, random_state=seed)
    # Several threads would sum the inertia in the order in which they end, and the sum decides when to stop.
    with threadpool_limits(1, user_api="openmp"):
        kmeans.fit(vectors)
    return np.asarray(kmeans.cluster_centers_, np.float32)


def nearest(vectors: Floats, centroids: Floats) -> Integers:
    """Returns the index of the nearest of `centroids` [clusters, dim] to each of `vectors` [n, dim], int32 [n]."""
    found = np.empty(len(vectors), np.int32)
    half_squares = np.square(centroids).sum(axis=1) / 2
    rows = max(1, _BLOCK_SCORES // max(len(centroids), 1))
    for start in range(0, len(vectors), rows):
        block = slice(start, start + rows)
        found[block] = np.argmax(vectors[block] @ centroids.T - half_squares, axis=1)
    return found


def unit_rows(vectors: Floats) -> Floats:
    """Divides `vectors` [n, dim] by their lengths; rows of zeros stay zero."""
    lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return vectors / np.maximum(lengths, np.finfo(np.float32).tiny)


def ranked(counts: npt.NDArray[np.int64], points: int = 60) -> list[tuple[int, int]]:
    """Returns (rank, count) at no more than `points` ranks, log-spaced from the first to the last; rank 1 = largest."""
    ordered = np.sort(counts)[::-1]
    ranks = np.unique(np.geomspace(1, max(len(ordered), 1), points).round().astype(int))
    return [(int(rank), int(ordered[rank - 1])) for rank in ranks if rank <= len(ordered)]
