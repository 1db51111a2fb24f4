"""Faults of counters and feature rows, and drift: what is told, and of which part."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import worlds
from engage_pipeline_tests.orchestration.checks.looking import distrusted, failed, look, raw_lines, write_lines
from engage_pipeline_tests.samples import edit_manifest

pytestmark = pytest.mark.long
LANGUAGE = schema.COLUMN_NAMES.index("language")
FOLLOWS = schema.COLUMN_NAMES.index("engagee_follows_engager")
FOLLOWERS = schema.COLUMN_NAMES.index("engaging_user_follower_count")
NEW = "5A" * 16
TABLES = {
    "tweet_parts": ("part-00001", "tweets.parquet", "tweet_timestamp"),
    "validation_tweets": (None, "tweets.parquet", schema.SPLIT),
    "test_tweets": (None, "part-00000.parquet", "language"),
    "interaction_features": ("part-00001", "features.parquet", "pair_like"),
    "validation_features": (None, "features.parquet", "like"),
    "test_features": (None, "part-00000.parquet", "hour"),
}
TINY_WORLD_DIFFERS = {"features_are_like_training"}
"""Four hundred rows of a few dozen authors have other follower counts than the training rows."""


def published(store: ArtifactStore, asset: str, key: str | None, name: str) -> Path:
    manifest = store.manifest(asset, key)
    assert manifest is not None
    return store.folder(asset, key) / manifest.directory / name


@pytest.mark.parametrize("asset", TABLES)
def test_a_column_of_another_type_is_found(world: Path, asset: str) -> None:
    config = world / "config.yaml"
    key, name, column = TABLES[asset]
    path = published(worlds.store_of(config), asset, key, name)
    table = pq.read_table(path)
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, column, table[column].cast(pa.large_string())), path)
    found = failed(look(config, asset))["columns_are_as_declared"]
    assert f"{name}: {column} is large_string, not " in found
    assert found.startswith(f"{key}: " if key else name)
    assert distrusted(config, asset) == {key}


@pytest.mark.parametrize("asset", [*TABLES, "interaction_counts", "validation_counts"])
def test_a_finished_world_passes(finished_world: Path, asset: str) -> None:
    found = look(finished_world / "config.yaml", asset)
    assert found
    assert failed(found).keys() <= TINY_WORLD_DIFFERS


def test_a_part_whose_rows_are_all_deleted_drifts_nowhere(world: Path) -> None:
    lines = raw_lines(world / "raw" / "train" / "part-00000")[:2]
    for number, line in enumerate(lines):
        line[schema.COLUMN_NAMES.index("tweet_id")] = f"{number:032X}"
        line[schema.COLUMN_NAMES.index("engaging_user_id")] = NEW
    write_lines(world / "raw" / "train" / "part-00003", lines)
    (world / "raw" / "deletions").mkdir()
    (world / "raw" / "deletions" / "users").write_text(f"{NEW}\n", encoding="ascii")
    config = worlds.write_config(world, deletions="raw/deletions")
    worlds.run(config, "interaction_features")
    assert worlds.store_of(config).open("interaction_features", "part-00003").manifest.rows == 0
    for asset in ("interaction_features", "validation_features"):
        found = look(config, asset)
        assert {"languages_are_shared", "features_are_stable", "features_are_like_training"} & found.keys()
        assert failed(found).keys() <= TINY_WORLD_DIFFERS


def test_validation_counts_that_do_not_add_up(world: Path) -> None:
    config = world / "config.yaml"
    folder = worlds.store_of(config).folder("validation_tweets")
    edit_manifest(folder, lambda values: values["facts"]["positives"].update(reply=-1))
    found = failed(look(config, "validation_counts"))
    assert found.keys() == {"counts_cover_every_validation_row"}
    assert found["counts_cover_every_validation_row"].startswith("reply: ")
    assert distrusted(config, "validation_counts") == {None}


def test_drift_names_the_part_and_its_features_and_lets_all_go_on(world: Path) -> None:
    config, train = world / "config.yaml", world / "raw" / "train"
    shifted, foreign = raw_lines(train / "part-00001"), raw_lines(train / "part-00002")
    for fields in shifted:
        fields[FOLLOWERS] = str(1000 * int(fields[FOLLOWERS] or 0))
    for fields in foreign[:40]:
        fields[LANGUAGE] = NEW
    write_lines(train / "part-00001", shifted)
    write_lines(train / "part-00002", foreign)
    worlds.run(config, "interaction_features")
    seen = look(config, "interaction_features")
    found = failed(seen)
    assert found.keys() == {"features_are_stable", "languages_are_shared"}
    assert found["features_are_stable"].startswith(
        "part-00001: population stability index of engaging_user_follower_count "
    )
    assert ";" not in found["features_are_stable"]
    assert found["languages_are_shared"] == f"part-00002: languages of no other part: {NEW} (40 rows)"
    assert len(str(seen["features_are_stable"].metadata["drift"].value)) < 140_000
    assert distrusted(config, "interaction_features") == set()


def test_parts_of_older_counts_are_not_compared(world: Path) -> None:
    config = world / "config.yaml"
    (worlds.store_of(config).folder("interaction_features", "part-00002") / "manifest.json").unlink()
    seen = look(config, "interaction_features")["features_are_stable"]
    assert seen.metadata["parts compared"].value == 2
    edit_manifest(worlds.store_of(config).folder("interaction_counts"), lambda values: values.update(version="0" * 16))
    seen = look(config, "interaction_features")["features_are_stable"]
    assert seen.metadata["parts compared"].value == 0
    assert seen.passed


def test_a_window_unlike_the_training_rows(world: Path) -> None:
    config, part = world / "config.yaml", world / "raw" / "validation" / "part-00000"
    lines = raw_lines(part)
    for fields in lines:
        fields[FOLLOWS] = "true"
    for fields in lines[:30]:
        fields[LANGUAGE] = NEW
    write_lines(part, lines)
    worlds.run(config, "validation_features")
    found = failed(look(config, "validation_features"))
    assert found.keys() == {"features_are_like_training", "languages_are_known"}
    assert found["features_are_like_training"].startswith("population stability index of engagee_follows_engager ")
    assert found["languages_are_known"].startswith(f"not in training: {NEW} (30 rows)")
    assert distrusted(config, "validation_features") == set()
