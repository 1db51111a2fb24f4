"""The columns of the effects: probabilities integrated over what is not known of the log-odds."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects.columns import (
    EFFECT_COLUMNS,
    effect_columns,
    integrated_logits,
    no_effects,
    read_columns,
    write_columns,
)


@pytest.mark.parametrize("deviation", [0.1, 1.0, 2.5])
def test_the_chance_is_the_mean_over_a_normal_distribution(deviation: float) -> None:
    """By a fine grid over 10 standard deviations to each side."""
    means = np.array([[-9.0, -4.0, -0.5, 0.0], [0.5, 2.0, 4.0, 9.0]])
    grid = np.linspace(-10, 10, 20_001)
    density = np.exp(-(grid**2) / 2) / np.exp(-(grid**2) / 2).sum()
    chance = (density / (1 + np.exp(-(means[:, :, np.newaxis] + deviation * grid)))).sum(axis=2)
    found = integrated_logits(means, np.full(means.shape, deviation**2))
    assert found == pytest.approx(np.log(chance) - np.log1p(-chance), abs=0.03)


def test_where_all_is_known_the_log_odds_stay_however_large() -> None:
    means = np.array([[-600.0, -40.0, 1e-9, 0.0], [600.0, 40.0, 3.0, -3.0]])
    assert integrated_logits(means, np.zeros((2, 4))) == pytest.approx(means, rel=1e-9, abs=1e-9)


def test_both_signs_are_alike() -> None:
    rng = np.random.default_rng(1)
    means, variances = rng.normal(0, 20, (50, 4)), rng.random((50, 4)) * 4
    assert np.array_equal(integrated_logits(-means, variances), -integrated_logits(means, variances))


def test_columns_are_read_as_they_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    columns = effect_columns(rng.normal(size=(30, 4)), rng.random((30, 4)))
    write_columns(columns, tmp_path)
    assert columns.dtype == np.float32
    assert np.array_equal(read_columns(tmp_path), columns)
    write_columns(no_effects(0), tmp_path)
    assert read_columns(tmp_path).shape == (0, len(EFFECT_COLUMNS))
