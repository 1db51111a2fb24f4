"""The explanation of a whole model sums to its logits, and speaks of probabilities as it should."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline.model.bundle import TrainedModel, build_bundle
from engage_pipeline.model.explanation.families import FEATURES
from engage_pipeline.model.explanation.row import explain_row, probability_of
from engage_pipeline_tests.model.bundles import make_inputs, quiet_settings
from engage_pipeline_tests.samples import feature_table

COLUMNS = (*schema.feature_schema(labelled=False).names, *schema.TOKEN_COLUMNS)
EXPLAINED = [name for name, feature in FEATURES.items() if {*feature.columns} <= {*COLUMNS}]
"""The features of rows that have no column of a family beyond the reference."""


def build(folder: Path, *, trees: bool) -> TrainedModel:
    """A bundle of untrained networks and, with `trees`, of trees that learnt the labels of feature_table."""
    section = {"enabled": trees, "n_estimators": 20, "min_child_samples": 5, "learning_rate": 0.2}
    settings = quiet_settings(folder, trees=section)
    inputs = make_inputs(feature_table(1500, 3, validation=True), folder / "inputs", settings)
    output = folder / "bundle"
    output.mkdir()
    build_bundle(output, **inputs, settings=settings)
    return TrainedModel.load(output, threads=1)


@pytest.fixture(scope="module")
def with_trees(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return build(tmp_path_factory.mktemp("trees"), trees=True)


@pytest.fixture(scope="module")
def network_only(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return build(tmp_path_factory.mktemp("network"), trees=False)


@pytest.fixture(params=["with_trees", "network_only"])
def model(request: pytest.FixtureRequest) -> TrainedModel:
    return request.getfixturevalue(request.param)


def test_contributions_and_baseline_sum_to_the_logit(model: TrainedModel) -> None:
    baselines = set()
    for seed in range(5):
        table = feature_table(1, seed, labelled=False)
        explained = explain_row(model, table)
        for place, explanation in enumerate(explained.engagements):
            assert explanation.engagement == schema.TARGETS[place]
            assert explanation.probability == pytest.approx(model.probabilities(table)[0, place], abs=1e-12)
            whole = explanation.baseline + sum(explanation.contributions.values())
            assert whole == pytest.approx(model.components(table)["blend"][0, place], abs=1e-3)
            assert explanation.residual == pytest.approx(explanation.logit - whole, abs=1e-12)
            assert list(explanation.contributions) == EXPLAINED
        baselines.add(round(explained.engagements[0].baseline, 9))
    assert len(baselines) == 1  # the same for every row


def test_blended_logits_and_base_rates_are_told(model: TrainedModel) -> None:
    table = feature_table(1, 1, labelled=False)
    explained = explain_row(model, table)
    logits = model.components(table)
    for place, explanation in enumerate(explained.engagements):
        blended = ["network"] if model.trees is None else ["network", "trees", "effects"]
        assert explanation.models == {name: logits[name][0, place] for name in blended}
        if model.trees is None:
            assert explanation.base_rate is None
            assert explanation.weights.network == 1
        else:
            assert explanation.base_rate == model.trees.inputs.base_rates[explanation.engagement]
    assert set(explained.steps) == ({"network"} if model.trees is None else {"network", "pretrained"})


def test_the_trees_explain_what_the_labels_are_made_of(with_trees: TrainedModel) -> None:
    table = feature_table(25, 11, labelled=False)
    likes = {name: np.asarray(table[name]) for name in ("viewer_like", "pair_like")}
    found = {name: [] for name in likes}
    for place in range(len(table)):
        effects = {e.family.key: e for e in explain_row(with_trees, table.slice(place, 1)).engagements[0].effects()
                   if e.family.window == "training"}  # fmt: skip
        found["viewer_like"].append(effects["viewer"].contribution)
        found["pair_like"].append(effects["pair"].contribution)
    for name, values in likes.items():
        assert np.corrcoef(values, found[name])[0, 1] > 0.7


def test_families_hold_their_features_and_come_by_size(model: TrainedModel) -> None:
    explanation = explain_row(model, feature_table(1, 2, labelled=False)).engagements[0]
    effects = explanation.effects()
    assert sorted(effect.family.name for effect in effects) == sorted({FEATURES[name].family for name in EXPLAINED})
    sizes = [abs(effect.contribution) for effect in effects]
    assert sizes == sorted(sizes, reverse=True)
    for effect in effects:
        assert {FEATURES[name].family for name in effect.features} == {effect.family.name}
        assert effect.contribution == pytest.approx(sum(explanation.contributions[name] for name in effect.features))
        without = 1 / (1 + np.exp(-(explanation.logit - effect.contribution)))
        assert effect.points == pytest.approx(explanation.probability - without, abs=1e-12)


def test_the_interval_is_as_wide_as_the_effects_know_little(with_trees: TrainedModel) -> None:
    table = feature_table(1, 4, labelled=False)
    assert with_trees.effects is not None
    deviations = np.sqrt(with_trees.effects.scores(table).variances[0].sum(axis=0))
    for explanation, deviation in zip(explain_row(with_trees, table).engagements, deviations, strict=True):
        assert explanation.interval is not None
        low, high = explanation.interval
        assert low < explanation.probability < high
        width = np.log(high / (1 - high)) - np.log(low / (1 - low))
        assert width == pytest.approx(2 * 1.96 * deviation, rel=1e-3)


def test_without_effects_there_is_no_interval(network_only: TrainedModel) -> None:
    engagements = explain_row(network_only, feature_table(1, 4, labelled=False)).engagements
    assert [explanation.interval for explanation in engagements] == [None] * 4


def test_a_probability_keeps_its_bounds() -> None:
    assert probability_of(0.0) == 0.5
    assert probability_of(-99.0) == 1e-6


def test_one_row_is_explained_at_a_time(model: TrainedModel) -> None:
    for rows in (0, 2):
        with pytest.raises(ValueError, match=f"{rows} rows"):
            explain_row(model, feature_table(rows, 1, labelled=False))
