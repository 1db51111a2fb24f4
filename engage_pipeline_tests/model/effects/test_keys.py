"""Fields and keys that one row alone does not show: every hour, both roles of a user, what a key is made of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.graphs.communities import Communities
from engage_pipeline.model.effects.effects import EFFECTS
from engage_pipeline.model.effects.fields import Clusters, EffectRows, end_of_window
from engage_pipeline.model.effects.rows import read_fitted_rows
from engage_pipeline.model.effects.scoring import load_clusters
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT
from engage_pipeline_tests.model.bundles import quiet_settings, write_clusters
from engage_pipeline_tests.model.network.network_samples import set_column
from engage_pipeline_tests.samples import FIRST_DAY, feature_table

END = (FIRST_DAY + 5) * 86_400
TABLE = set_column(feature_table(24, 4, validation=True), "hour", list(range(24)))
PAIRED = {
    "pair": ("viewer", "author"),
    "viewer_topic": ("viewer", "topic"),
    "communities": ("viewer_community", "author_community"),
    "community_author": ("viewer_community", "author"),
    "viewer_community": ("viewer", "author_community"),
    "viewer_day": ("viewer", "day"),
    "author_day": ("author", "day"),
    "topic_day": ("topic", "day"),
    "viewer_followers": ("viewer_followers", "viewer_verified"),
}


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Clusters:
    folder = tmp_path_factory.mktemp("clusters")
    write_clusters(TABLE, folder, quiet_settings(folder))
    return load_clusters(folder)


def test_six_bands_of_four_hours(clusters: Clusters) -> None:
    rows = EffectRows.from_table(TABLE, clusters, END, END)
    assert rows.hours.tolist() == [band for band in (1, 2, 3, 4, 5, 6) for _ in range(4)]
    assert rows.hour.tolist() == list(range(1, 25))


def test_an_author_s_community_is_the_one_as_author_and_a_viewer_s_the_one_as_viewer(clusters: Clusters) -> None:
    users = clusters.communities.user
    numbers = np.arange(len(users), dtype=np.int32)
    roles = replace(clusters, communities=Communities(users, 100 + numbers, 500 + numbers))
    rows = EffectRows.from_table(TABLE, roles, END, END)
    assert rows.author_community.tolist() == (101 + np.searchsorted(users, rows.author)).tolist()
    assert rows.viewer_community.tolist() == (501 + np.searchsorted(users, rows.viewer)).tolist()


@pytest.mark.parametrize("name", PAIRED)
def test_a_key_of_two_fields_depends_on_both_and_on_nothing_else(clusters: Clusters, name: str) -> None:
    rows = EffectRows.from_table(TABLE, clusters, END, END)
    effect = next(one for one in EFFECTS if one.name == name)
    before = effect.keys(rows)
    known = before != NO_FINGERPRINT
    assert known.any()
    for field in vars(rows):
        changed = replace(rows, **{field: getattr(rows, field) + 1_000_003})
        assert (effect.keys(changed) != before)[known].all() == (field in PAIRED[name]), field


def test_the_window_that_counts_is_that_of_the_rows_to_predict(clusters: Clusters, tmp_path: Path) -> None:
    training, validation = tmp_path / "training.parquet", tmp_path / "validation.parquet"
    times = TABLE[schema.TWEET_TIMESTAMP].to_numpy()
    pq.write_table(TABLE, training)
    pq.write_table(set_column(TABLE, schema.TWEET_TIMESTAMP, (times + 30 * 86_400).tolist()), validation)
    rows = read_fitted_rows([training], validation, clusters, tmp_path / "rows", quiet_settings(tmp_path))
    assert rows.window_end == rows.newest == end_of_window(times) + 30 * 86_400
    (records,) = rows.shards.read()
    assert records["time_left"][:24].tolist() == records["time_left"][24:].tolist(), "each by its own window's end"
    assert (records["age"][:24] - records["age"][24:]).tolist() == [30 * 24] * 24, "all by the newest row"


def test_rows_are_the_same_in_batches_of_any_size(
    clusters: Clusters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position of a validation row is its place in the file, that of a training row is none."""
    pq.write_table(TABLE, tmp_path / "rows.parquet")
    paths, settings = [tmp_path / "rows.parquet"], quiet_settings(tmp_path, effects={"half_life_days": 3.0})
    (whole,) = read_fitted_rows(paths, paths[0], clusters, tmp_path / "whole", settings).shards.read()
    monkeypatch.setattr("engage_pipeline.model.effects.rows.BATCH_ROWS", 7)
    (pieces,) = read_fitted_rows(paths, paths[0], clusters, tmp_path / "pieces", settings).shards.read()
    assert pieces.tolist() == whole.tolist()
    assert whole["facts"]["position"].tolist() == [*[-1] * 24, *range(24)]
