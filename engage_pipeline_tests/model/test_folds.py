"""Folds by hand: whole chunks where there are enough of them."""

import numpy as np
import pytest

from engage_pipeline.model.folds import folds_of

CHUNKS = [5, 9, 5, 7, 9, 7]


@pytest.mark.parametrize(
    ("folds", "expected"),
    [
        (1, [0, 0, 0, 0, 0, 0]),
        (2, [0, 0, 0, 1, 0, 1]),
        (3, [0, 2, 0, 1, 2, 1]),
        (4, [0, 1, 2, 3, 0, 1]),
        (6, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_as_many_chunks_as_folds_are_enough(folds: int, expected: list[int]) -> None:
    assert folds_of(np.array(CHUNKS), folds).tolist() == expected


def test_without_rows_there_are_no_folds() -> None:
    assert folds_of(np.zeros(0, np.int64), 3).tolist() == []
