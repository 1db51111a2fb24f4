import numpy as np

from engage_pipeline.numerics.clustering import ranked


def test_ranks_by_hand() -> None:
    occurrences = np.array([3, 100, 7, 1, 7])
    assert ranked(occurrences) == [(1, 100), (2, 7), (3, 7), (4, 3), (5, 1)]
    assert ranked(occurrences, points=2) == [(1, 100), (5, 1)]
    assert ranked(np.array([], int)) == []
