"""SHAP values and the sharing out of what the pretrained logits moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engage_pipeline.model.families import FEATURE_NAMES
from engage_pipeline.model.tree_attribution import attribute_trees, hand_on
from engage_pipeline.model.tree_inputs import COLUMNS, LOGITS, TreeInputs
from engage_pipeline.model.tree_scoring import TreeScorer
from engage_pipeline.model.trees import Start
from engage_pipeline_tests.samples import feature_table

INPUTS = TreeInputs(("en", "ja"), {"like": 0.4, "retweet": 0.1, "retweet_with_comment": 0.02, "reply": 0.03,
                                   "negative": 0.5}, 20.0)  # fmt: skip


@pytest.fixture(scope="module")
def scorer() -> TreeScorer:
    """Trees for like and reply, which read counters and pretrained logits; none for the others."""
    import lightgbm

    rng = np.random.default_rng(0)
    table = feature_table(2000, 1)
    matrix = INPUTS.matrix(table, rng.normal(-1, 1, (2000, 4)))
    score = matrix[:, COLUMNS.index("viewer_like")] - 2 + matrix[:, COLUMNS.index(LOGITS[0])]
    labels = rng.random(2000) < 1 / (1 + np.exp(-score))
    data = lightgbm.Dataset(matrix, label=labels, feature_name=list(COLUMNS), categorical_feature=["language"])
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_leaves": 7, "num_threads": 1}, data, 30)
    starts = (Start(0.1, 0.9), Start(-2.0, 0.0), Start(0.0, 1.0), Start(0.3, 1.1))
    return TreeScorer(INPUTS, starts, (booster, None, None, booster), 1)


def attributed(scorer: TreeScorer, seed: int):
    """The attribution of a row whose pretrained logits are a random baseline and random contributions."""
    rng = np.random.default_rng(seed)
    baseline, contributions = rng.normal(-1, 1, 4), rng.normal(0, 0.2, (4, len(FEATURE_NAMES)))
    logits = (baseline + contributions.sum(axis=1))[np.newaxis]
    table = feature_table(1, seed)
    return table, logits, contributions, attribute_trees(scorer, table, logits, baseline, contributions)


def test_baseline_and_contributions_sum_to_the_logits(scorer: TreeScorer) -> None:
    for seed in range(10):
        table, logits, _, found = attributed(scorer, seed)
        np.testing.assert_allclose(
            found.baseline + found.contributions.sum(axis=1), scorer.logits(table, logits)[0], rtol=0, atol=1e-6
        )


def test_without_trees_the_start_passes_on_what_moved_the_network(scorer: TreeScorer) -> None:
    _, _, contributions, found = attributed(scorer, 1)
    assert not found.contributions[1].any()
    assert found.baseline[1] == -2.0
    np.testing.assert_allclose(found.contributions[2], contributions[2])


def test_a_column_that_no_tree_reads_contributes_nothing_of_its_own(scorer: TreeScorer) -> None:
    unread = {name for name, gain in zip(COLUMNS, scorer.boosters[0].feature_importance(), strict=True) if gain == 0}
    table = feature_table(1, 3)
    found = attribute_trees(scorer, table, np.zeros((1, 4)), np.zeros(4), np.zeros((4, len(FEATURE_NAMES))))
    own = dict(zip(FEATURE_NAMES, found.contributions[0], strict=True))
    assert len(unread) > 20
    assert not any(own[name] for name in unread - {*LOGITS})
    assert own["viewer_like"]


def one_split(column: str) -> TreeScorer:
    """A tree for likes that asks only whether `column` is above its median; the other engagements have none."""
    import lightgbm

    matrix = INPUTS.matrix(feature_table(400, 2), np.random.default_rng(2).normal(size=(400, 4)))
    place = COLUMNS.index(column)
    matrix[:, np.arange(len(COLUMNS)) != place] = 0
    labels = matrix[:, place] > np.median(matrix[:, place])
    data = lightgbm.Dataset(matrix, label=labels, feature_name=list(COLUMNS))
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_leaves": 2, "num_threads": 1}, data, 1)
    return TreeScorer(INPUTS, (Start(0.0, 0.0),) * 4, (booster, None, None, None), 1)


def test_a_tree_of_one_split_moves_by_leaf_less_mean() -> None:
    scorer = one_split("viewer_like")
    viewers = INPUTS.matrix(feature_table(400, 2), np.zeros((400, 4)))
    mean = scorer.boosters[0].predict(viewers, raw_score=True).mean()
    row = feature_table(1, 8)
    nothing = np.zeros((4, len(FEATURE_NAMES)))
    found = attribute_trees(scorer, row, np.zeros((1, 4)), np.zeros(4), nothing).contributions[0]
    leaf = scorer.logits(row, np.zeros((1, 4)))[0, 0]
    assert found[FEATURE_NAMES.index("viewer_like")] == pytest.approx(leaf - mean, abs=1e-9)
    assert np.count_nonzero(found) == 1


def test_what_a_pretrained_logit_moves_goes_to_the_features_behind_that_logit() -> None:
    moved = np.zeros((4, len(FEATURE_NAMES)))
    moved[0, FEATURE_NAMES.index("pair_like")] = 1.0
    moved[1, FEATURE_NAMES.index("author_retweet")] = -1.0
    found = attribute_trees(one_split(LOGITS[1]), feature_table(1, 8), np.full((1, 4), 2.0), np.zeros(4), moved)
    assert [FEATURE_NAMES[place] for place in np.flatnonzero(found.contributions[0])] == ["author_retweet"]
    assert found.contributions[0].sum() > 0


CONTRIBUTIONS = arrays(np.float64, st.integers(1, 8), elements=st.floats(-5, 5).map(lambda x: round(x, 3)))


@given(st.floats(-3, 3), CONTRIBUTIONS)
def test_what_is_handed_on_is_neither_lost_nor_blown_up(amount: float, contributions: np.ndarray) -> None:
    shares = hand_on(amount, contributions)
    if not contributions.any():
        assert not shares.any()
        return
    assert shares.sum() == pytest.approx(amount, abs=1e-9)
    sizes = np.abs(contributions) / np.abs(contributions).sum()
    assert (np.abs(shares) <= 1.25 * abs(amount) * sizes + 1e-12).all()


def test_what_is_handed_on_follows_contributions_that_agree_and_sizes_where_they_cancel() -> None:
    np.testing.assert_allclose(hand_on(-2.0, np.array([3.0, 1.0, 0.0])), [-1.5, -0.5, 0.0])
    np.testing.assert_allclose(hand_on(2.0, np.array([-3.0, -1.0])), [1.5, 0.5])
    np.testing.assert_allclose(hand_on(2.0, np.array([3.0, -3.0])), [1.0, 1.0])
