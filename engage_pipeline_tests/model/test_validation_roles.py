"""Who learns from which validation row: by hand, and by what changes when the labels of held-out rows do."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.model import validation_roles
from engage_pipeline.model.validation_roles import DECIDED, HOLDOUT_ROW, effect_folds, folds_of
from engage_pipeline_tests import worlds
from engage_pipeline_tests.samples import tiny_settings

H = schema.HOLDOUT
SPLIT = np.array([H, 0, 1, 2, 3, 3, H, 0], np.int32)  # of 4 chunks


def test_roles_by_hand() -> None:
    assert np.flatnonzero(validation_roles.fine_tunes(SPLIT)).tolist() == [1, 2, 3, 4, 5, 7]
    assert validation_roles.all_rows(SPLIT).all()


@pytest.mark.parametrize(("rows", "tested"), [(1, 1), (3, 1), (4, 2), (5, 2), (6, 3), (100, 3)])
def test_folds_are_tested_until_enough_rows_were_held_out(tmp_path: Path, rows: int, tested: int) -> None:
    folds = np.array([2, 0, 1, 0, 1, 0, 2])
    settings = tiny_settings(tmp_path, trees={"tested_rows": rows})
    assert validation_roles.tested_folds(folds, settings) == [0, 1, 2][:tested]


def test_held_out_rows_are_in_no_fold() -> None:
    assert np.flatnonzero(validation_roles.held_out(SPLIT)).tolist() == [0, 6]
    assert effect_folds(SPLIT, 2).tolist() == [HOLDOUT_ROW, 0, 1, 0, 1, 1, HOLDOUT_ROW, 0]


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


FIRST_ENGAGEMENT = 20
"""Place of the first of the four engagement times of a raw line."""


def engage_held_out_rows(config: Path) -> int:
    """Gives each held-out validation row without an engagement a like, at the time of its tweet; returns how many."""
    split = pq.read_table(worlds.store_of(config).open("validation_tweets").path("tweets.parquet"))
    held_out = set(split.filter(pc.equal(split[schema.SPLIT], H))[schema.LINE_NUMBER].to_pylist())
    part = config.parent / "raw" / "validation" / "part-00000"
    lines = part.read_text(encoding="utf-8").split("\n")
    changed = 0
    for number in held_out:
        fields = lines[number].split(schema.FIELD_SEPARATOR)
        if not any(fields[FIRST_ENGAGEMENT:]):
            fields[schema.COLUMN_NAMES.index("like_timestamp")] = fields[schema.COLUMN_NAMES.index("tweet_timestamp")]
            lines[number] = schema.FIELD_SEPARATOR.join(fields)
            changed += 1
    part.write_text("\n".join(lines), encoding="utf-8")
    return changed


TAUGHT = {"finetuned_network", "engagement_effects", "engagement_trees", "candidate_model", "trained_model"}


@pytest.mark.long
def test_held_out_labels_teach_the_published_models_alone(world: Path, tmp_path: Path) -> None:
    """They are counted for test rows, which come later, and the models are compared on them, by others."""
    other = tmp_path / "other"
    shutil.copytree(world, other)
    assert engage_held_out_rows(other / "config.yaml") > 10
    worlds.run(other / "config.yaml")
    stores = [worlds.store_of(folder / "config.yaml") for folder in (world, other)]
    changed = set()
    for name, artifact in ARTIFACTS.items():
        for key in stores[0].parts() if artifact.partitioned else [None]:
            before, after = (store.open(name, key).manifest.files for store in stores)
            different = {file for file in before if before[file] != after[file]}
            if name in TAUGHT:
                assert different
                assert not [file for file in different if file.startswith((DECIDED, "blend", "out_of_fold"))], different
            elif different or set(before) != set(after):
                changed.add(name)
    assert changed == {
        "validation_tweets",
        "validation_counts",
        "validation_features",
        "test_features",
        "evaluation",
        "submission",
    }
    tables = [FeatureFile(store.open("validation_features").path("features.parquet")).read() for store in stores]
    features = [name for name in tables[0].column_names if name not in schema.TARGETS]
    assert tables[0].select(features).equals(tables[1].select(features))
    learning = [table.filter(pc.not_equal(table[schema.SPLIT], H)) for table in tables]
    assert learning[0].equals(learning[1])
