import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score  # noqa: TID253 - nothing light imports tests

from engage_pipeline.numerics import clustering
from engage_pipeline.numerics.clustering import fit_centroids, nearest, ranked, unit_rows


def clouds(count: int, of_each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around `count` far points, and the point of each."""
    rng = np.random.default_rng(seed)
    owners = rng.permutation(np.repeat(np.arange(count), of_each))
    return (20 * np.eye(count)[owners] + rng.standard_normal((len(owners), count))).astype(np.float32), owners


def test_clouds_are_found_and_every_vector_goes_to_the_nearest() -> None:
    vectors, owners = clouds(5, 200, 1)
    centroids = fit_centroids(vectors, 5, seed=1)
    found = nearest(vectors, centroids)
    assert adjusted_rand_score(owners, found) > 0.9
    distances = np.linalg.norm(vectors[:, None] - centroids, axis=2)
    np.testing.assert_array_equal(found, distances.argmin(axis=1))
    assert found.dtype == np.int32


def test_the_nearest_is_no_matter_of_length() -> None:
    assert nearest(np.array([[1, 0], [4, 0]], np.float32), np.array([[9, 0], [1, 1]], np.float32)).tolist() == [1, 1]
    assert nearest(np.array([[1, 0], [6, 0]], np.float32), np.array([[9, 0], [1, 1]], np.float32)).tolist() == [1, 0]


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = clouds(4, 50, 2)
    centroids = fit_centroids(vectors, 9, seed=1)
    expected = nearest(vectors, centroids)
    monkeypatch.setattr(clustering, "_BLOCK_SCORES", 30)
    np.testing.assert_array_equal(nearest(vectors, centroids), expected)


@pytest.mark.parametrize(("vectors", "expected"), [(np.ones((30, 2)), 8), (np.eye(3), 3), (np.zeros((0, 4)), 0)])
def test_there_are_no_more_clusters_than_vectors(vectors: np.ndarray, expected: int) -> None:
    centroids = fit_centroids(vectors.astype(np.float32), 8, seed=1)
    assert centroids.shape == (expected, vectors.shape[1])
    assert centroids.dtype == np.float32
    assert np.isfinite(centroids).all()


def test_the_same_seed_gives_the_same_centroids() -> None:
    vectors, _ = clouds(6, 300, 3)
    one, two, other = (fit_centroids(vectors, 20, seed=seed) for seed in (1, 1, 2))
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != other.tobytes()


def test_rows_get_length_one_and_zeros_stay() -> None:
    assert unit_rows(np.array([[3, 4], [0, 0]], np.float32)).tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0]]


def test_ranks_by_hand() -> None:
    occurrences = np.array([3, 100, 7, 1, 7])
    assert ranked(occurrences) == [(1, 100), (2, 7), (3, 7), (4, 3), (5, 1)]
    assert ranked(occurrences, points=2) == [(1, 100), (5, 1)]
    assert ranked(np.array([], int)) == []
