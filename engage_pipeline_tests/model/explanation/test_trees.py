"""SHAP values and the sharing out of what the pretrained logits moved."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engage_pipeline.model.effects.columns import EFFECT_COLUMNS, EFFECT_LOGITS, effect_columns, no_effects
from engage_pipeline.model.effects.marginals import marginal_logits
from engage_pipeline.model.effects.tables import Scores
from engage_pipeline.model.explanation.effects import attribute_effects, no_attribution
from engage_pipeline.model.explanation.families import EFFECT_FEATURES, FEATURE_NAMES
from engage_pipeline.model.explanation.trees import BelowTree, TreesAttribution, attribute_trees, hand_on
from engage_pipeline.model.trees.inputs import COLUMNS, LOGITS, TreeInputs
from engage_pipeline.model.trees.scoring import TreeScorer
from engage_pipeline.model.trees.start import Start
from engage_pipeline_tests.samples import feature_table

INPUTS = TreeInputs(("en", "ja"), {"like": 0.4, "retweet": 0.1, "retweet_with_comment": 0.02, "reply": 0.03,
                                   "negative": 0.5}, 20.0)  # fmt: skip


INTERCEPTS = np.array([0.5, -1.0, -4.0, -2.0])
COUPLING = np.array([[0.0, -2.0, -1.0, 1.0], [0.0, 0.0, -3.0, 0.5], [0.0] * 4, [0.0, 0.0, -0.5, 0.0]])


@pytest.fixture(scope="module")
def scorer() -> TreeScorer:
    """Trees for like and reply, which read counters and pretrained logits; none for the others."""
    import lightgbm

    rng = np.random.default_rng(0)
    table = feature_table(2000, 1)
    effects = effect_columns(rng.normal(INTERCEPTS, 1.5, (2000, 4)), rng.random((2000, 4)), COUPLING)
    matrix = INPUTS.matrix(table, rng.normal(-1, 1, (2000, 4)), effects)
    score = matrix[:, COLUMNS.index("viewer_like")] - 2 + matrix[:, COLUMNS.index(LOGITS[0])]
    score += matrix[:, COLUMNS.index(EFFECT_LOGITS[0])]
    labels = rng.random(2000) < 1 / (1 + np.exp(-score))
    data = lightgbm.Dataset(matrix, label=labels, feature_name=list(COLUMNS), categorical_feature=["language"])
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_leaves": 7, "num_threads": 1}, data, 30)
    starts = (Start(0.1, 0.3, 0.6), Start(-2.0, 0.0, 0.0), Start(0.0, 1.0, 0.5), Start(0.3, 1.1, 0.0))
    return TreeScorer(INPUTS, starts, (booster, None, None, booster), 1)


def columns_of(intercepts: np.ndarray, scores: Scores) -> np.ndarray:
    return effect_columns(intercepts + scores.families.sum(axis=1), scores.variances.sum(axis=1), COUPLING)


def below(logits: np.ndarray, baseline: np.ndarray, contributions: np.ndarray) -> BelowTree:
    """Without effects."""
    return BelowTree(logits, baseline, contributions, no_effects(1), no_attribution())


def attributed(scorer: TreeScorer, seed: int) -> tuple[TreesAttribution, np.ndarray, BelowTree]:
    """The attribution of a row whose pretrained logits and effects are random, its logits, and what lies below."""
    rng = np.random.default_rng(seed)
    baseline, contributions = rng.normal(-1, 1, 4), rng.normal(0, 0.2, (4, len(FEATURE_NAMES)))
    logits = (baseline + contributions.sum(axis=1))[np.newaxis]
    table, scores = feature_table(1, seed), Scores(rng.normal(0, 0.5, (1, 8, 4)), rng.random((1, 8, 4)) / 8)
    effects = columns_of(INTERCEPTS, scores)
    read = BelowTree(logits, baseline, contributions, effects, attribute_effects(INTERCEPTS, COUPLING, scores))
    return attribute_trees(scorer, table, read), scorer.logits(table, logits, effects)[0], read


def test_baseline_and_contributions_sum_to_the_logits(scorer: TreeScorer) -> None:
    for seed in range(10):
        found, logits, _ = attributed(scorer, seed)
        np.testing.assert_allclose(found.baseline + found.contributions.sum(axis=1), logits, rtol=0, atol=2e-6)


def test_without_trees_the_start_passes_on_what_moved_network_and_effects(scorer: TreeScorer) -> None:
    found, _, read = attributed(scorer, 1)
    assert not found.contributions[1].any()
    assert found.baseline[1] == -2.0
    expected = read.contributions[2] + 0.5 * read.attribution.contributions[2]
    np.testing.assert_allclose(found.contributions[2], expected)


def test_a_column_that_no_tree_reads_contributes_nothing_of_its_own(scorer: TreeScorer) -> None:
    unread = {name for name, gain in zip(COLUMNS, scorer.boosters[0].feature_importance(), strict=True) if gain == 0}
    table = feature_table(1, 3)
    found = attribute_trees(scorer, table, below(np.zeros((1, 4)), np.zeros(4), np.zeros((4, len(FEATURE_NAMES)))))
    own = dict(zip(FEATURE_NAMES, found.contributions[0], strict=True))
    assert len(unread) > 20
    assert not any(own[name] for name in unread - {*LOGITS, *EFFECT_COLUMNS})
    assert own["viewer_like"]


def one_split(column: str) -> TreeScorer:
    """A tree for likes that asks only whether `column` is above its median; the other engagements have none."""
    import lightgbm

    matrix = INPUTS.matrix(feature_table(400, 2), np.random.default_rng(2).normal(size=(400, 4)), no_effects(400))
    place = COLUMNS.index(column)
    matrix[:, np.arange(len(COLUMNS)) != place] = 0
    labels = matrix[:, place] > np.median(matrix[:, place])
    data = lightgbm.Dataset(matrix, label=labels, feature_name=list(COLUMNS))
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_leaves": 2, "num_threads": 1}, data, 1)
    return TreeScorer(INPUTS, (Start(0.0, 0.0, 0.0),) * 4, (booster, None, None, None), 1)


def test_a_tree_of_one_split_moves_by_leaf_less_mean() -> None:
    scorer = one_split("viewer_like")
    viewers = INPUTS.matrix(feature_table(400, 2), np.zeros((400, 4)), no_effects(400))
    mean = scorer.boosters[0].predict(viewers, raw_score=True).mean()
    row = feature_table(1, 8)
    nothing = np.zeros((4, len(FEATURE_NAMES)))
    found = attribute_trees(scorer, row, below(np.zeros((1, 4)), np.zeros(4), nothing)).contributions[0]
    leaf = scorer.logits(row, np.zeros((1, 4)), no_effects(1))[0, 0]
    assert found[FEATURE_NAMES.index("viewer_like")] == pytest.approx(leaf - mean, abs=1e-9)
    assert np.count_nonzero(found) == 1


def test_what_a_pretrained_logit_moves_goes_to_the_features_behind_that_logit() -> None:
    moved = np.zeros((4, len(FEATURE_NAMES)))
    moved[0, FEATURE_NAMES.index("pair_like")] = 1.0
    moved[1, FEATURE_NAMES.index("author_retweet")] = -1.0
    read = below(np.full((1, 4), 2.0), np.zeros(4), moved)
    found = attribute_trees(one_split(LOGITS[1]), feature_table(1, 8), read)
    assert [FEATURE_NAMES[place] for place in np.flatnonzero(found.contributions[0])] == ["author_retweet"]
    assert found.contributions[0].sum() > 0


@given(
    arrays(np.float64, 4, elements=st.floats(-4, 4)),
    arrays(np.float64, (1, 8, 4), elements=st.floats(-2, 2)),
    arrays(np.float64, (1, 8, 4), elements=st.floats(0, 0.5)),
)
def test_parts_of_the_effects_sum_to_their_logits(
    intercepts: np.ndarray, families: np.ndarray, variances: np.ndarray
) -> None:
    scores = Scores(families, variances)
    found = attribute_effects(intercepts, COUPLING, scores)
    joint = columns_of(intercepts, scores)[0]
    np.testing.assert_allclose(found.baseline + found.contributions.sum(axis=1), joint, atol=1e-4)
    np.testing.assert_allclose(found.baseline, marginal_logits(intercepts[np.newaxis], np.zeros((1, 4)), COUPLING)[0])
    np.testing.assert_allclose(found.deviations**2, variances[0].sum(axis=0), atol=1e-12)
    assert [found.of_column(name) is not None for name in (*EFFECT_LOGITS, "viewer_like")] == [True] * 4 + [False]


def test_what_is_not_known_shrinks_the_parts() -> None:
    families = np.zeros((1, 8, 4))
    families[0, :, 0] = 0.25
    certain, vague = (
        attribute_effects(np.zeros(4), np.zeros((4, 4)), Scores(families, np.full((1, 8, 4), variance / 8)))
        .contributions[0]
        .sum()
        for variance in (0.0, 4.0)
    )
    assert certain == pytest.approx(2.0)
    assert 0 < vague < 1.7


def test_a_family_that_moves_nothing_has_no_part_and_alike_families_have_alike_parts() -> None:
    families = np.zeros((1, 8, 4))
    families[0, 0] = families[0, 3] = (1.0, 0.5, -0.5, 0.2)
    variances = np.zeros((1, 8, 4))
    variances[0, [0, 3]] = 0.5
    found = attribute_effects(INTERCEPTS, COUPLING, Scores(families, variances)).contributions
    parts = found[:, [FEATURE_NAMES.index(name) for name in EFFECT_FEATURES]]
    np.testing.assert_allclose(parts[:, 0], parts[:, 3])
    assert not parts[:, [1, 2, 4, 5, 6, 7]].any()
    assert (np.sign(parts[:, 0]) == (1, 1, -1, 1)).all()


def test_the_part_of_a_family_is_the_mean_of_what_it_moves_over_all_orders() -> None:
    rng = np.random.default_rng(5)
    scores = Scores(np.zeros((1, len(EFFECT_FEATURES), 4)), np.zeros((1, len(EFFECT_FEATURES), 4)))
    scores.families[0, [1, 4, 6]], scores.variances[0, [1, 4, 6]] = rng.normal(0, 1, (3, 4)), rng.random((3, 4))
    found = attribute_effects(INTERCEPTS, COUPLING, scores).contributions
    expected = np.zeros((len(EFFECT_FEATURES), 4))
    for order in permutations([1, 4, 6]):
        before, joined = attributed_columns(scores, ()), ()
        for family in order:
            joined = (*joined, family)
            after = attributed_columns(scores, joined)
            expected[family] += (after - before) / 6
            before = after
    parts = found[:, [FEATURE_NAMES.index(name) for name in EFFECT_FEATURES]].T
    np.testing.assert_allclose(parts, expected, atol=1e-12)


def attributed_columns(scores: Scores, families: tuple[int, ...]) -> np.ndarray:
    """The log-odds [4] if only `families` counted."""
    own = list(families)
    means = INTERCEPTS + scores.families[:, own].sum(axis=1)
    return marginal_logits(means, scores.variances[:, own].sum(axis=1), COUPLING)[0]


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
