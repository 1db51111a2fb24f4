"""The columns of the effects, and their file."""

from pathlib import Path

import numpy as np

from engage_pipeline.model.effects.columns import (
    EFFECT_COLUMNS,
    effect_columns,
    no_effects,
    read_columns,
    write_columns,
)


def test_columns_are_read_as_they_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    columns = effect_columns(rng.normal(size=(30, 4)), rng.random((30, 4)), rng.normal(size=(4, 4)))
    write_columns(columns, tmp_path)
    assert columns.dtype == np.float32
    assert np.array_equal(read_columns(tmp_path), columns)
    write_columns(no_effects(0), tmp_path)
    assert read_columns(tmp_path).shape == (0, len(EFFECT_COLUMNS))
