"""Rows one at a time have the features that they have as a part, with every family of counters on."""

from pathlib import Path

from engage_pipeline import schema
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.features.single_row import RowFeatures
from engage_pipeline.settings.families import FAMILY_NAMES
from engage_pipeline_tests.interactions.dense_rows import dense_rows
from engage_pipeline_tests.interactions.test_against_reference import write_everything
from engage_pipeline_tests.interactions.worlds import World
from engage_pipeline_tests.samples import tiny_settings


def test_a_row_alone_has_the_features_of_its_part(tmp_path: Path) -> None:
    features = {"families": list(FAMILY_NAMES)}
    rows = dense_rows(60, 3, labelled=False)
    for row, missing in zip(rows, ("tweet_type", "engaging_user_id", "language", "tweet_id"), strict=False):
        row[missing] = None
    write_everything(World([dense_rows(120, 1)], dense_rows(90, 2, chunked=True), rows), tmp_path, 2, features)
    alone = RowFeatures(
        tiny_settings(tmp_path, features=features),
        training_counts=tmp_path / "training_counts",
        similarity=tmp_path,
        validation_counts=tmp_path / "validation_counts",
    )
    expected = FeatureFile(tmp_path / "test_features.parquet").read()
    tables = [alone.of(row).table() for row in rows]
    assert tables[0].schema == expected.schema.remove_metadata()
    nullable = {field.name for field in expected.schema if field.nullable}
    assert nullable == {"language", *schema.TOKEN_COLUMNS, *schema.IDENTITY_COLUMNS}
    found = [table.to_pylist()[0] | {schema.LINE_NUMBER: line} for line, table in enumerate(tables)]
    assert found == expected.to_pylist()
    for key in ("pair", "hashtag", "type", "valid_type", "valid_tweet", "valid_reverse_pair"):
        assert any(row[f"{key}_like"] for row in found), key
