"""The rows of the trees, across batches, against the whole table at once."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.model.effects.columns import EFFECT_COLUMNS
from engage_pipeline.model.trees.inputs import LANGUAGE, NEGATIVE
from engage_pipeline.model.trees.rows import LEAST_LANGUAGE_ROWS, TreeRows, read_tree_rows
from engage_pipeline.settings.families import DEFAULT_FAMILIES, SCORED_FILE
from engage_pipeline_tests.samples import feature_table, tiny_settings

ROWS = 300


class HourLogits:
    """Scores a row by its hour: a stand-in for the network that differs by row."""

    def logits(self, table: pa.Table) -> np.ndarray:
        return np.outer(table["hour"].to_numpy(), [1, 2, 3, 4]).astype(np.float32)


def replaced(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values, type=table.schema.field(name).type))


def read(
    table: pa.Table, folder: Path, *, seed: int = 1, families: Sequence[str] = DEFAULT_FAMILIES, **trees: object
) -> TreeRows:
    pq.write_table(table, folder / "features.parquet", row_group_size=120)
    effects = np.random.default_rng(2).random((table.num_rows, len(EFFECT_COLUMNS)), np.float32)
    settings = tiny_settings(folder, seed=seed, trees=trees, features={"families": list(families)})
    return read_tree_rows(folder / "features.parquet", HourLogits(), effects, settings)


@pytest.fixture
def table() -> pa.Table:
    return feature_table(ROWS, 1, validation=True)


def test_every_row_is_that_of_the_file_whatever_the_batches(
    table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engage_pipeline.model.trees.rows.BATCH_ROWS", 50)
    rows = read(table, tmp_path)
    split = table[schema.SPLIT].to_numpy()
    effects = np.random.default_rng(2).random((ROWS, len(EFFECT_COLUMNS)), np.float32)
    assert np.array_equal(rows.matrix, rows.inputs.matrix(table, HourLogits().logits(table), effects), equal_nan=True)
    assert np.array_equal(rows.labels, np.column_stack([table[target] for target in schema.TARGETS]))
    assert rows.learning.tolist() == np.flatnonzero(split >= 0).tolist()
    assert len(rows.folds) == len(rows.learning)


@pytest.mark.parametrize("most", [None, 120])
def test_counts_inside_the_file_are_of_all_its_rows_but_some_rows_have_none(
    table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int | None
) -> None:
    monkeypatch.setattr("engage_pipeline.model.trees.rows.BATCH_ROWS", 50)
    rows = read(table, tmp_path, families=(*DEFAULT_FAMILIES, SCORED_FILE), max_rows=most)
    plain = read(table, tmp_path, max_rows=most)
    first = len(plain.inputs.columns)
    assert rows.inputs.columns[first:] == schema.SCORED_FILE_FEATURES
    assert np.array_equal(rows.matrix[:, :first], plain.matrix, equal_nan=True)
    counts = ScoredFile.read(tmp_path / "features.parquet").columns
    found = rows.matrix[:, first:]
    expected = np.column_stack([counts[name][rows.places] for name in schema.SCORED_FILE_FEATURES])
    alone = np.isnan(found).all(axis=1)
    assert 0 < alone.mean() < 0.3
    assert np.array_equal(found[~alone], expected[~alone], equal_nan=True)
    assert not np.isnan(expected).any()


def test_a_language_needs_enough_rows(table: pa.Table, tmp_path: Path) -> None:
    table = pa.concat_tables([replaced(table, schema.SPLIT, np.full(ROWS, split)) for split in (0, schema.HOLDOUT)])
    few = LEAST_LANGUAGE_ROWS - 1
    languages = ["pt"] * LEAST_LANGUAGE_ROWS + ["en"] * few + [None] * (ROWS - LEAST_LANGUAGE_ROWS - few)
    spared = ["ja"] * ROWS
    assert read(replaced(table, LANGUAGE, languages + spared), tmp_path).inputs.languages == ("pt",)


def test_base_rates_by_hand(table: pa.Table, tmp_path: Path) -> None:
    """Of 300 rows 30 have a like, 60 a reply, 15 of them both: 225 have neither."""
    table = replaced(table, schema.SPLIT, np.zeros(ROWS))
    places = np.arange(ROWS)
    for target in schema.TARGETS:
        labels = {"like": places < 30, "reply": (places >= 15) & (places < 75)}.get(target, places < 0)
        table = replaced(table, target, labels)
    rates = read(table, tmp_path).inputs.base_rates
    assert rates == pytest.approx({**dict.fromkeys(schema.TARGETS, 0.0), "like": 0.1, "reply": 0.2, NEGATIVE: 0.75})


def sampled_lines(rows: TreeRows) -> list[int]:
    """The positions in the file of the rows, told by their effects, which are all different."""
    effects = np.random.default_rng(2).random((ROWS, len(EFFECT_COLUMNS)), np.float32)
    (first,) = np.flatnonzero([column == EFFECT_COLUMNS[0] for column in rows.inputs.columns])
    return [int(np.flatnonzero(effects[:, 0] == value)[0]) for value in rows.matrix[:, first]]


def test_a_sample_is_drawn_by_the_seed(table: pa.Table, tmp_path: Path) -> None:
    counts = np.zeros(ROWS)
    for seed in range(40):
        lines = sampled_lines(read(table, tmp_path, seed=seed, max_rows=60))
        assert len(lines) == 60
        assert lines == sorted(set(lines))
        counts[lines] += 1
    assert lines == sampled_lines(read(table, tmp_path, seed=39, max_rows=60))
    # 40 draws of 60 of 300 rows: 8 of each on average, with a deviation of 2.5
    assert counts.min() >= 1
    assert counts.max() <= 19


@pytest.mark.parametrize(("most", "rows"), [(ROWS - 1, ROWS - 1), (ROWS, ROWS), (ROWS + 1, ROWS)])
def test_rows_beyond_the_most_are_left_out(table: pa.Table, tmp_path: Path, most: int, rows: int) -> None:
    found = read(replaced(table, schema.SPLIT, np.zeros(ROWS)), tmp_path, max_rows=most)
    assert len(found.matrix) == len(found.labels) == len(found.folds) == rows
