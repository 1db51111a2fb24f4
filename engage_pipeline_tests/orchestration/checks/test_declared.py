"""Which checks there are, which of them stop what is downstream, and that each says in one sentence what must hold."""

import pytest

from engage_pipeline.orchestration.checks import drift, ingest, model, verdicts

BLOCKING = {
    "tweet_parts": {
        "columns_are_as_declared",
        "days_are_in_the_window",
        "few_lines_are_rejected",
        "few_rows_come_twice",
        "lines_add_up",
        "no_part_comes_twice",
        "no_row_is_in_another_window",
    },
    "validation_tweets": {
        "columns_are_as_declared",
        "days_are_in_the_window",
        "few_lines_are_rejected",
        "few_rows_come_twice",
        "holdout_has_its_share",
        "no_row_is_in_another_window",
    },
    "test_tweets": {"columns_are_as_declared", "few_lines_are_rejected", "no_row_is_in_another_window"},
    "interaction_counts": {"counts_cover_every_row", "every_engagement_occurs", "no_part_is_counted_twice"},
    "validation_counts": {"counts_cover_every_validation_row"},
    "interaction_features": {"columns_are_as_declared", "every_row_has_features"},
    "validation_features": {"columns_are_as_declared", "every_row_has_features"},
    "test_features": {"columns_are_as_declared", "every_row_has_features"},
    "submission": {"one_line_for_every_test_row"},
}
WARNING = {
    "tweet_parts": {
        "ids_are_there",
        "label_rates_are_plausible",
        "label_rates_are_stable",
        "no_rows_are_lost",
        "parts_share_few_rows",
    },
    "validation_tweets": {"ids_are_there", "label_rates_are_plausible", "no_rows_are_lost"},
    "test_tweets": {"ids_are_there", "no_rows_are_lost"},
    "interaction_features": {"features_are_stable", "languages_are_shared"},
    "validation_features": {"features_are_like_training", "languages_are_known"},
    "test_features": {"features_are_like_training", "languages_are_known"},
    "evaluation": {"author_groups_are_served_alike", "beats_the_constant_rate", "probabilities_are_calibrated"},
}
SPECS = [
    spec for module in (drift, ingest, model, verdicts) for declared in module.CHECKS for spec in declared.check_specs
]


@pytest.mark.parametrize(("blocking", "expected"), [(True, BLOCKING), (False, WARNING)])
def test_the_checks_of_each_asset(blocking: bool, expected: dict[str, set[str]]) -> None:
    found: dict[str, set[str]] = {}
    for spec in SPECS:
        if spec.blocking == blocking:
            found.setdefault(spec.asset_key.to_user_string(), set()).add(spec.name)
    assert found == expected


def test_every_check_says_in_one_sentence_what_must_hold() -> None:
    for spec in SPECS:
        assert spec.description, spec.name
        words = " ".join(spec.description.split())
        assert words.endswith("."), spec.name
        assert ". " not in words, spec.name
