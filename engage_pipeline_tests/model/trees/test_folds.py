"""The rows that are held out, and their logits by trees that never saw them."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.trees import folds
from engage_pipeline.model.trees.folds import HeldOutRows
from engage_pipeline.model.trees.inputs import TreeInputs
from engage_pipeline.model.trees.rows import TreeRows
from engage_pipeline_tests.samples import tiny_settings

FOLDS = np.array([2, 0, 1, 0, 1, 0, 2])


@pytest.fixture
def rows() -> TreeRows:
    """Ten rows at every second place of a file, of which seven are learned from."""
    learning = np.array([0, 1, 3, 4, 6, 8, 9])
    matrix = np.arange(30, dtype=np.float32).reshape(10, 3)
    inputs = TreeInputs((), {}, 20.0)
    return TreeRows(inputs, matrix, np.zeros((10, 4), bool), np.arange(0, 20, 2), learning, FOLDS)


@pytest.mark.parametrize(("enough", "tested"), [(1, 1), (4, 2), (100, 3)])
def test_a_fold_is_held_out_and_the_others_learn(rows: TreeRows, tmp_path: Path, enough: int, tested: int) -> None:
    found = HeldOutRows.of(rows, tiny_settings(tmp_path, trees={"tested_rows": enough}))
    assert [own.tolist() for _, own in found.members] == [[1, 3, 5], [2, 4], [0, 6]][:tested]
    assert all(sorted([*rest, *own]) == list(range(7)) for rest, own in found.members)
    learned = [1, 3, 5, 2, 4, 0, 6][: len(found.learned)]
    assert found.learned.tolist() == learned
    assert found.places.tolist() == [2 * rows.learning[place] for place in learned]
    assert found.matrix.tolist() == [rows.matrix[rows.learning[place]].tolist() for place in learned]


def test_of_many_rows_every_nth_is_scored(rows: TreeRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "MOST_SCORED", 4)
    found = HeldOutRows.of(rows, tiny_settings(tmp_path))
    assert [own.tolist() for _, own in found.members] == [[1, 3, 5], [2, 4], [0, 6]]
    assert found.learned.tolist() == [1, 5, 2, 0]
    assert found.sizes == [2, 1, 1]


class Sums:
    """In place of trees: the sum of the columns, times a factor and the number of trees."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def predict(self, matrix: np.ndarray, raw_score: bool, num_iteration: int) -> np.ndarray:
        assert raw_score
        return matrix.sum(axis=1) * self.factor * num_iteration


def test_each_row_is_scored_by_the_trees_without_its_fold(rows: TreeRows, tmp_path: Path) -> None:
    found = HeldOutRows.of(rows, tiny_settings(tmp_path))
    sums = rows.matrix[rows.learning].sum(axis=1)
    scored = found.trees([Sums(10), Sums(100), Sums(1000)], 2)
    assert scored.tolist() == [2 * [10, 100, 1000][FOLDS[place]] * sums[place] for place in found.learned]
    assert found.trees([Sums(1)] * 3, 0).tolist() == [0.0] * 7
