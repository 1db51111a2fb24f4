"""Which fold a fine-tuning row is in, by hand."""

import numpy as np
import pytest

from engage_pipeline.model.validation_roles import folds_of


@pytest.mark.parametrize(
    ("chunks", "folds", "expected"),
    [
        ([5, 5, 2, 2, 9, 9], 3, [1, 1, 0, 0, 2, 2]),  # exactly as many chunks as folds: whole chunks
        ([0, 1, 2, 3, 0, 1, 2, 3], 2, [0, 1, 0, 1, 0, 1, 0, 1]),
        ([0, 1, 2, 3, 4], 3, [0, 1, 2, 0, 1]),
        ([7, 7, 8, 8, 8, 7], 3, [0, 1, 2, 0, 1, 2]),  # fewer: row by row
        ([], 3, []),
    ],
)
def test_folds_by_hand(chunks: list[int], folds: int, expected: list[int]) -> None:
    assert folds_of(np.array(chunks, np.int64), folds).tolist() == expected
