"""What differs is found one by one, and does not spoil the rest for what does not."""

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.numerics.outliers import Kept, outliers


def far_from_the_others(values: list[float], limit: float, least: int = 1) -> list[int]:
    array = np.array(values)

    def excess(kept: Kept) -> NDArray[np.float64]:
        shown = array[kept]
        others = (shown.sum() - shown) / (len(shown) - 1)
        return np.abs(shown - others) - limit

    found, rest = outliers(len(values), excess, least=least)
    assert sorted([*found, *np.flatnonzero(rest).tolist()]) == list(range(len(values)))
    return found


def test_one_that_differs_is_found_alone() -> None:
    assert far_from_the_others([1, 1, 100, 1], 10) == [2]


def test_the_furthest_comes_first() -> None:
    assert far_from_the_others([50, 1, 1, 1, 1, 900], 10) == [5, 0]


def test_of_two_the_last() -> None:
    assert far_from_the_others([1, 100], 10) == [1]


def test_at_the_least_others_no_more_is_removed() -> None:
    values = [1.0, 100, 10_000, 1_000_000]
    assert far_from_the_others(values, 10) == [3, 2, 1]
    assert far_from_the_others(values, 10, least=2) == [3, 2]
    assert far_from_the_others(values, 10, least=4) == []


def test_what_is_just_tolerated_does_not_differ() -> None:
    assert far_from_the_others([1, 11], 10) == []


def test_nothing_to_compare_with() -> None:
    assert far_from_the_others([1], 10) == []
    assert far_from_the_others([], 10) == []
