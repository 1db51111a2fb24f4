"""Words for the families of an explanation."""

from typing import Any

import pytest

from engage_pipeline import schema
from engage_pipeline.model.explanation.families import FAMILIES, ExplainedFamily
from engage_pipeline.settings.families import FURTHER_FAMILIES
from engage_pipeline.submission.explanation import words
from engage_pipeline_tests.samples import feature_table


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_family_has_words(family: ExplainedFamily) -> None:
    [row] = feature_table(1, 3, families=[one.name for one in FURTHER_FAMILIES]).to_pylist()
    assert all(words.describe(family, target, row) for target in schema.TARGETS)


def test_an_embedding_rests_on_training_rows() -> None:
    [row] = feature_table(1, 3).to_pylist()
    row |= {"viewer_exposures": 1, "author_exposures": 2300}
    assert words.describe(FAMILIES["viewer_embedding"], "like", row) == "1 training row"
    assert words.describe(FAMILIES["author_embedding"], "like", row) == "2,300 training rows"


ZERO = dict.fromkeys(schema.COLUMN_NAMES[: schema.N_TEST_COLUMNS], 0)
"""A raw row of which nothing is missing."""


@pytest.mark.parametrize(
    ("columns", "family", "zero", "said"),
    [
        (
            ["engaged_with_user_follower_count", "engaged_with_user_is_verified"],
            "author_profile",
            "0 followers, follows 0, account of 0 days",
            "followers missing, follows 0, account of 0 days, verification missing",
        ),
        (
            ["engaging_user_following_count", "engaging_user_account_creation"],
            "viewer_profile",
            "0 followers, follows 0, account of 0 days",
            "0 followers, follows missing, age of the account missing",
        ),
        (["engaging_user_follower_count"], "profiles_compared", "0 and 0 followers", "0 and missing followers"),
        (
            ["engagee_follows_engager"],
            "follows",
            "engagee_follows_engager is false",
            "engagee_follows_engager is missing",
        ),
        (["tweet_timestamp"], "time", "0:00 to 0:59 UTC, day 1 of the month", "missing"),
        (
            ["tweet_timestamp"],
            "viewer_profile",
            "0 followers, follows 0, account of 0 days",
            "0 followers, follows 0, age of the account missing",
        ),
        (["tweet_type"], "tweet_content", "no known type, no media, no links, no hashtags", "type missing"),
        (["engaging_user_id"], "viewer_embedding", "0 training rows", "engaging_user_id missing"),
        (["engaged_with_user_id"], "author_embedding", "0 training rows", "engaged_with_user_id missing"),
        (["engaging_user_id"], "training_viewer", "never shown", "engaging_user_id missing"),
        (
            ["engaging_user_id", "engaged_with_user_id"],
            "validation_pair",
            "never shown",
            "engaged_with_user_id and engaging_user_id missing",
        ),
        (["engaged_with_user_id"], "training_similar", "engaged with none", "engaged_with_user_id missing"),
    ],
)
def test_what_is_missing_is_not_said_to_be_zero(columns: list[str], family: str, zero: str, said: str) -> None:
    features = dict.fromkeys(schema.feature_schema(labelled=False, validation=False).names, 0)
    tweet: dict[str, Any] = {**ZERO, **dict.fromkeys(columns)}
    assert words.describe(FAMILIES[family], "like", words.with_missing(features, ZERO)) == zero
    assert words.describe(FAMILIES[family], "like", words.with_missing(features, tweet)) == said
