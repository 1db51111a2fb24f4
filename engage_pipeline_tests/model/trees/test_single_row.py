"""Trees for one row, against Booster.predict for many."""

import lightgbm  # noqa: TID253 - it is what is tested
import numpy as np
import pytest

from engage_pipeline.model.trees.single_row import SingleRowTrees


def test_gives_the_bits_of_the_booster_for_numbers_categories_and_missing_values() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(3000, 6)).astype(np.float32)
    rows[:, 5] = rng.integers(0, 12, 3000)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    labels = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 5]) % 3 > 1
    data = lightgbm.Dataset(rows, labels, categorical_feature=[5])
    booster = lightgbm.train({"objective": "binary", "num_leaves": 40, "verbose": -1, "num_threads": 1}, data, 30)
    trees = SingleRowTrees(booster)
    expected = booster.predict(rows, raw_score=True)
    assert len(np.unique(expected)) > 100
    assert [trees.score(rows[place : place + 1]) for place in range(len(rows))] == expected.tolist()


def test_an_error_of_lightgbm_is_told() -> None:
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(np.zeros((30, 1)), np.arange(30)), 1)
    trees = SingleRowTrees(booster)
    with pytest.raises(RuntimeError):
        trees._check(-1)
