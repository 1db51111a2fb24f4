"""Every input of the models is in one family, and under the feature that it is computed from."""

import numpy as np
import pyarrow as pa
import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline import schema
from engage_pipeline.model.effects.columns import EFFECT_COLUMNS, no_effects
from engage_pipeline.model.effects.fields import ROW_COLUMNS as COLUMNS_OF_EFFECTS
from engage_pipeline.model.explanation.families import EFFECT_FEATURES, FAMILIES, FEATURE_NAMES, FEATURES
from engage_pipeline.model.explanation.network import input_features
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.model.network.rows import INPUT_COLUMNS, RowReader
from engage_pipeline.model.network.vocabulary import PEOPLE
from engage_pipeline.model.trees.inputs import LOGITS, OUTCOMES, TreeInputs, tree_columns
from engage_pipeline.settings.families import FAMILY_NAMES
from engage_pipeline_tests.model.network.network_samples import DEPTH, LANGUAGES, WIDTH, make_codes, set_column
from engage_pipeline_tests.samples import feature_table
from engage_pipeline_tests.token_lists import token_values

BASE_RATES = (0.4, 0.1, 0.02, 0.03)
FURTHER = schema.further_counters(FAMILY_NAMES)
FURTHER_COLUMNS = schema.further_features(FURTHER)
CONFIG = NetworkConfig(LANGUAGES, DEPTH, WIDTH, 8, 4, BASE_RATES, further_counters=FURTHER)


def test_every_tree_column_but_the_logits_is_a_feature_of_a_family() -> None:
    logits = {*LOGITS, *EFFECT_COLUMNS}
    columns = {*tree_columns(FURTHER, scored_file=True)}
    assert columns - logits == {*FEATURE_NAMES} - {"text_tokens", *PEOPLE, *EFFECT_FEATURES}
    assert {feature.family for feature in FEATURES.values()} == {*FAMILIES}
    assert {column for feature in FEATURES.values() for column in feature.columns} == {
        *INPUT_COLUMNS,
        *FURTHER_COLUMNS,
        *COLUMNS_OF_EFFECTS,
        *schema.SCORED_FILE_FEATURES,
    }


@pytest.mark.parametrize(
    ("feature", "family"),
    [
        ("pair_like", "training_pair"),
        ("viewer_retweet_with_comment_rate", "training_viewer"),
        ("similar_jaccard_sum", "training_similar"),
        ("valid_viewer_as_author_reply", "validation_viewer_as_author"),
        ("valid_author_as_viewer_exposures", "validation_author_as_viewer"),
        ("valid_reverse_pair_like_rate", "validation_reverse_pair"),
        ("valid_tweet_negative", "validation_tweet"),
        ("valid_pair_share_of_viewer", "validation_pair"),
        ("language_like", "training_language"),
        ("language", "language"),
        ("engaging_user_is_verified", "viewer_profile"),
        ("engaged_with_user_account_age_days", "author_profile"),
        ("author_age_per_viewer_age", "profiles_compared"),
        ("is_retweet", "tweet_content"),
        ("n_tokens", "text"),
        ("topic_effects_logit", "topic_effects"),
        ("hour", "time"),
        ("valid_type_reply_rate", "validation_type"),
        ("file_viewer_day_rows", "scored_file"),
    ],
)
def test_the_family_of_a_feature(feature: str, family: str) -> None:
    assert FEATURES[feature].family == family


def changed(table: pa.Table, name: str) -> pa.Table:
    """`table` of one row with another value in the column `name`."""
    if name == "language":
        return set_column(table, name, ["pt" if table[name][0].as_py() != "pt" else "en"])
    if name in schema.TOKEN_COLUMNS:  # other tokens, as many
        count = len(table[schema.TEXT_TOKENS][0].as_py()) // 2
        return set_column(table, name, [token_values([65_536 + 1001] * count)[name]])
    value = table[name][0].as_py()
    return set_column(table, name, [not value if isinstance(value, bool) else value + 1])


def network_input(table: pa.Table) -> np.ndarray:
    """What the network reads, with the categories themselves where their embeddings would stand."""
    inputs = InputBuilder(make_codes(), WIDTH, torch.device("cpu"), BASE_RATES).build(
        RowReader(LANGUAGES, FURTHER).rows(table, labelled=False)
    )
    categories = inputs.categories.repeat_interleave(CONFIG.embedding_size, dim=1)
    return torch.cat([inputs.known, categories], dim=1).numpy()[0]


def test_a_changed_column_changes_only_inputs_of_features_made_of_it() -> None:
    table = feature_table(1, 4, labelled=False, families=FAMILY_NAMES)
    trees = TreeInputs(LANGUAGES, dict.fromkeys(OUTCOMES, 0.1), 20.0, FURTHER)
    logits, effects = np.zeros((1, 4)), no_effects(1)
    for name in (*INPUT_COLUMNS, *FURTHER_COLUMNS):
        other = changed(table, name)
        touched = network_input(table) != network_input(other)
        names = {feature for feature, moved in zip(input_features(CONFIG), touched, strict=True) if moved}
        before, after = (np.nan_to_num(trees.matrix(rows, logits, effects)[0], nan=-1) for rows in (table, other))
        columns = np.flatnonzero(before != after)
        names |= {trees.columns[column] for column in columns}
        made_of_it = {feature for feature in FEATURE_NAMES if name in FEATURES[feature].columns}
        assert names, name
        assert names <= made_of_it, name
        assert {feature for feature in made_of_it if feature == name} <= names


def test_each_network_input_has_a_feature_and_the_same_place() -> None:
    table = feature_table(1, 4, labelled=False, families=FAMILY_NAMES)
    assert len(input_features(CONFIG)) == len(network_input(table))
    reference = NetworkConfig(LANGUAGES, DEPTH, WIDTH, 8, 4)
    assert not {name for name in input_features(reference) if name.endswith(("_rate", "_exposures"))}
    assert {*schema.EXPOSURE_FEATURES} <= {*input_features(CONFIG)}
