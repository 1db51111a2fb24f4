"""The fields of rows, by hand."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.interactions.graphs.communities import COMMUNITIES, SCHEMA
from engage_pipeline.language.topics import TopicModel
from engage_pipeline.model.effects.effects import EFFECTS, effects_of, families_of, keys_of
from engage_pipeline.model.effects.fields import (
    ROW_COLUMNS,
    WIDE,
    Clusters,
    EffectRows,
    end_of_window,
    size_steps,
    time_left,
)
from engage_pipeline.model.effects.scoring import load_clusters
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT, fingerprints
from engage_pipeline.schema import AT_TOKEN, CLS_TOKEN, COLON_TOKEN, RT_TOKEN, SEP_TOKEN
from engage_pipeline.settings.families import COMMUNITY_READERS, TOPIC_READERS
from engage_pipeline_tests.model.bundles import quiet_settings, write_clusters
from engage_pipeline_tests.model.network.network_samples import set_column
from engage_pipeline_tests.samples import FIRST_DAY, feature_table
from engage_pipeline_tests.token_lists import token_arrays, token_list

DAY = 86_400
END = (FIRST_DAY + 5) * DAY
SIZES = {
    "viewer_followers": "engaging_user_follower_count",
    "viewer_following": "engaging_user_following_count",
    "viewer_age": "engaging_user_account_age_days",
    "author_followers": "engaged_with_user_follower_count",
    "author_following": "engaged_with_user_following_count",
    "author_age": "engaged_with_user_account_age_days",
}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return feature_table(300, 4, validation=True)


@pytest.fixture(scope="module")
def clusters(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Clusters:
    folder = tmp_path_factory.mktemp("clusters")
    write_clusters(table, folder, quiet_settings(folder))
    return load_clusters(folder)


def test_without_topics_and_communities_no_row_has_one(table: pa.Table, tmp_path: Path) -> None:
    TopicModel.none().save(tmp_path)
    pq.write_table(SCHEMA.empty_table(), tmp_path / COMMUNITIES)
    rows = EffectRows.from_table(table, load_clusters(tmp_path), END, END)
    for field in ("topic", "viewer_community", "author_community"):
        assert set(getattr(rows, field).tolist()) == {NO_FINGERPRINT}, field


def test_the_families_that_read_clusters_are_those_whose_effects_have_them_as_keys() -> None:
    def readers(*words: str) -> set[str]:
        return {one.family for one in EFFECTS if any(word in field for field in one.fields for word in words)}

    assert readers("topic") == set(TOPIC_READERS)
    assert readers("community") == set(COMMUNITY_READERS)


def test_fields_of_a_row(table: pa.Table, clusters: Clusters) -> None:
    rows = EffectRows.from_table(table, clusters, END, END)
    row = table.slice(7, 1).to_pylist()[0]
    (viewer, author) = fingerprints(pa.array([row["engaging_user_id"], row["engaged_with_user_id"]])).tolist()
    assert (rows.viewer[7], rows.author[7]) == (viewer, author)
    assert (rows.viewer_community[7], rows.author_community[7]) == (1 + (viewer & 1), 1 + (author & 1))
    assert rows.tweet_type[7] == 1 + row["is_quote"] + 2 * row["is_retweet"] + 4 * row["is_top_level"]
    assert rows.media[7] == 1 + row["has_gif"] + 2 * row["has_photo"] + 4 * row["has_video"]
    assert (rows.hour[7], rows.hours[7]) == (1 + row["hour"], 1 + row["hour"] // 4)
    assert (rows.follows[7], rows.has_link[7]) == (1 + row["engagee_follows_engager"], 1 + row["has_link"])
    assert rows.n_hashtags[7] == 1 + min(row["n_hashtags"], 5)
    assert rows.day[7] == 1 + row[schema.TWEET_TIMESTAMP] // DAY
    assert (rows.viewer_verified[7], rows.author_verified[7]) == (
        1 + row["engaging_user_is_verified"],
        1 + row["engaged_with_user_is_verified"],
    )
    for field, column in SIZES.items():
        assert getattr(rows, field)[7] == size_steps(np.array([row[column]]))[0], field
    tokens = np.array(token_list(row), np.int32)
    assert rows.length[7] == size_steps(np.array([len(tokens)]))[0]
    assert rows.topic[7] == 1 + clusters.topics.assign(tokens, np.array([len(tokens)]), pa.array([row["language"]]))[0]


def test_who_is_named_and_the_first_word_come_from_the_text(table: pa.Table, clusters: Clusters) -> None:
    texts = [[CLS_TOKEN, RT_TOKEN, AT_TOKEN, 7, 8, COLON_TOKEN, 9, SEP_TOKEN], [CLS_TOKEN, AT_TOKEN, 7, 8, SEP_TOKEN]]
    some = table.slice(0, 2)
    for name, column in token_arrays(texts).items():
        some = set_column(some, name, column)
    rows = EffectRows.from_table(some, clusters, END, END)
    assert rows.named[0] == rows.named[1] != NO_FINGERPRINT
    assert rows.first_word.tolist() == [10, NO_FINGERPRINT]


def test_what_is_not_known_has_no_key(table: pa.Table, clusters: Clusters) -> None:
    unknown = table
    for name in schema.IDENTITY_COLUMNS:
        unknown = set_column(unknown, name, [None] * len(table))
    rows = EffectRows.from_table(unknown, clusters, END, END)
    keyless = {"viewer", "author", "tweet", "hashtag", "viewer_community", "author_community"}
    keyless |= {"named"}  # no text of these rows names anybody
    for effect in EFFECTS:
        missing = effect.keys(rows) == NO_FINGERPRINT
        assert missing.all() if keyless & {*effect.fields} else not missing.all(), effect.name


def test_a_row_has_the_same_keys_alone_and_among_others(table: pa.Table, clusters: Clusters) -> None:
    rows = EffectRows.from_table(table, clusters, END, END)
    for place in (0, 17, 299):
        alone = EffectRows.from_table(table.slice(place, 1), clusters, END, END)
        for effect, keys in zip(EFFECTS, keys_of(EFFECTS, alone), strict=True):
            assert effect.keys(alone)[0] == effect.keys(rows)[place] == keys[0]


def test_fields_that_are_no_hashes_fit_into_32_bits(table: pa.Table, clusters: Clusters) -> None:
    """As the rows on disk have them (rows.ROW), whatever stands in a column."""
    farthest = table
    for name in (*SIZES.values(), schema.TWEET_TIMESTAMP, "n_hashtags"):
        least = 0 if name == "n_hashtags" else np.iinfo(np.int64).min  # it is counted
        ends = np.resize([np.iinfo(np.int64).max, least, 0], len(table))
        farthest = set_column(farthest, name, pa.array(ends))
    tokens = token_arrays([[CLS_TOKEN, AT_TOKEN, 5, 6, (1 << 17) - 1, SEP_TOKEN]] * len(table))
    for name, column in tokens.items():
        farthest = set_column(farthest, name, column)
    for end in (0, END, 1 << 40):
        rows = EffectRows.from_table(farthest, clusters, end, end)
        for field in fields(EffectRows):
            if field.name not in WIDE:
                values = getattr(rows, field.name)
                assert np.array_equal(values, values.astype(np.int32)), field.name
    assert (rows.first_word == 1 << 17).all()


def test_keys_of_several_effects_are_those_of_each(table: pa.Table, clusters: Clusters) -> None:
    rows = EffectRows.from_table(table, clusters, END, END)
    for effects in (EFFECTS, EFFECTS[:2], EFFECTS[2:3], ()):
        expected = [effect.keys(rows).tolist() for effect in effects]
        assert keys_of(effects, rows).tolist() == expected


def test_no_field_depends_on_labels_split_or_engagement_day(table: pa.Table) -> None:
    assert not {*ROW_COLUMNS} & {*schema.TARGETS, schema.SPLIT, schema.ENGAGEMENT_DAY, schema.LINE_NUMBER}
    assert {*ROW_COLUMNS} <= {*table.column_names}


def test_time_left_in_steps_and_none_after_the_end() -> None:
    seconds = np.array([0, 359, 360, 4320, 86_399, 86_400, 1_800_000])
    assert time_left(END - seconds, END).tolist() == [1, 1, 2, 5, 12, 13, 13]
    assert time_left(np.array([END + 1, 2**63 - 1, -(2**63)]), END).tolist() == [NO_FINGERPRINT, NO_FINGERPRINT, 13]


def test_the_end_of_a_window_is_the_end_of_a_day_and_stray_times_do_not_move_it() -> None:
    times = np.arange(END - 3 * DAY, END, 60)
    assert end_of_window(times) == END
    assert end_of_window(np.append(times, [2**62, END + 9 * DAY])) == END
    assert end_of_window(times[:1]) == END - 2 * DAY
    assert end_of_window(np.zeros(0, np.int64)) == 0


def test_every_effect_has_a_family_and_a_name_of_its_own() -> None:
    assert len({effect.name for effect in EFFECTS}) == len(EFFECTS)
    assert effects_of(families_of(EFFECTS)) == EFFECTS
    assert [effect.name for effect in effects_of(["tweet_effects", "pair_effects"])] == ["tweet", "pair"]


def test_parents_are_other_effects_and_have_no_slope() -> None:
    """A key that counts times a slope has no share that a parent, which counts once, could take over."""
    once = {effect.name for effect in EFFECTS if effect.slope is None}
    for effect in EFFECTS:
        assert {*effect.parents} <= once - {effect.name}, effect.name
        assert not (effect.parents and effect.slope), effect.name


def test_a_slope_counts_weeks_from_two_weeks_before_the_newest_row(table: pa.Table, clusters: Clusters) -> None:
    times = END - np.array([0, 7, 14, 21, 365, 4000])[:, np.newaxis] * DAY
    ages = [*times.ravel().tolist(), END + 5 * DAY, 0, -(2**63), 2**63 - 1]
    stray = set_column(table.slice(0, len(ages)), schema.TWEET_TIMESTAMP, ages)
    (trend,) = (effect for effect in EFFECTS if effect.slope)
    oldest = 365 / 7 - 2
    expected = [-2, -1, 0, 1, oldest, oldest, -2, oldest, oldest, -2]
    rows = EffectRows.from_table(stray, clusters, END, END)
    assert trend.slopes(rows).tolist() == pytest.approx(expected, abs=1e-5)
    assert EFFECTS[0].slopes(rows).tolist() == [1.0] * len(ages)


def test_two_steps_for_each_doubling_of_one_more() -> None:
    assert size_steps(np.array([-5, 0, 1, 2, 3, 7, 2**40 - 1])).tolist() == [1, 1, 3, 4, 5, 7, 81]
