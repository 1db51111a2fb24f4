"""Every column of a table of features has a meaning of its own, which its name alone decides."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.definitions import defs
from engage_pipeline.interactions.features.meanings import COUNTED, meanings
from engage_pipeline.orchestration.assets.lineage import TWEETS
from engage_pipeline.settings.families import COUNTER_FAMILIES
from engage_pipeline.store.file_names import FEATURES
from engage_pipeline_tests import worlds


def test_a_counter_says_of_whom_what_and_over_which_rows() -> None:
    training, validation, test = (meanings(table) for table in TWEETS)
    assert training["pair_like"] == (
        "this viewer with this author: liked; rows of the training window, but for the row's own day"
    )
    assert validation["pair_like"] == "this viewer with this author: liked; rows of the training window"
    assert training["valid_tweet_reply"] == (
        "this tweet with other viewers: replied to; all fine-tuning rows of the validation window"
    )
    assert validation["valid_tweet_reply"] == (
        "this tweet with other viewers: replied to; fine-tuning rows of the validation window, but for the row's own "
        "chunk"
    )
    assert test["valid_author_as_viewer_retweet_with_comment"] == (
        "the author's own history: quoted; every labelled row of the validation window"
    )
    assert test["valid_author_negative"] == (
        "the author with all viewers: no engagement at all; every labelled row of the validation window"
    )
    assert training["similar_like"].startswith("the viewer with similar authors: liked; each weighted by")
    assert test["type_exposures"].startswith("the viewer with this type of tweet: shown, with an engagement or not; ")


@pytest.mark.parametrize("table", TWEETS)
def test_every_declared_column_has_a_meaning_and_no_two_have_the_same(table: str) -> None:
    found = meanings(table)
    labelled, validation = table != "test_features", table == "validation_features"
    columns = schema.feature_schema(labelled=labelled, validation=validation, families=COUNTER_FAMILIES)
    assert list(found) == columns.names
    assert all(found.values())
    assert len(set(found.values())) == len(found)


def test_every_count_has_words() -> None:
    assert COUNTED.keys() == {*schema.ENGAGEMENTS, "negative", "exposures"}


@pytest.mark.parametrize("table", TWEETS)
def test_the_ui_shows_the_meaning_first(table: str) -> None:
    (spec,) = [spec for spec in defs.resolve_all_asset_specs() if spec.key.to_user_string() == table]
    shown = {column.name: column.description for column in spec.metadata["dagster/column_schema"].columns}
    assert shown.keys() == meanings(table).keys()
    for column, meaning in meanings(table).items():
        assert (shown[column] or "").startswith(f"{meaning} · from "), column


@pytest.mark.long
def test_every_column_of_the_files_has_a_meaning(finished_world: Path) -> None:
    store = worlds.store_of(finished_world / "config.yaml")
    files = {
        "interaction_features": store.open("interaction_features", "part-00000").path(FEATURES),
        "validation_features": store.open("validation_features").path(FEATURES),
        "test_features": store.open("test_features").path("part-00000.parquet"),
    }
    for table, path in files.items():
        assert set(pq.read_schema(path).names) <= meanings(table).keys()
