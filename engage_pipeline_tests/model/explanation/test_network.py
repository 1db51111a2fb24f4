"""Integrated gradients against the network itself, and against a slow version that differentiates by every input."""

from dataclasses import replace

import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline import schema
from engage_pipeline.model.explanation.families import FEATURE_NAMES, FEATURES
from engage_pipeline.model.explanation.network import TOLERANCE, attribute_network, baseline_known, input_features
from engage_pipeline.model.network.rows import RowReader
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline_tests.model.network.network_samples import (
    ARCHITECTURES,
    LANGUAGES,
    make_codes,
    make_network,
    set_column,
)
from engage_pipeline_tests.samples import feature_table
from engage_pipeline_tests.token_lists import token_values


def make_scorer(architecture="residual", base_rates=(0.4, 0.1, 0.02, 0.03), precision="fp32") -> NetworkScorer:
    """Of a network with random weights in every place, and norms that have seen rows."""
    torch.manual_seed(3)
    network = make_network(architecture, hidden_size=24, base_rates=base_rates)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        scorer = NetworkScorer(network, make_codes())
        network.train()
        for seed in range(20):
            rows = network.reader.rows(feature_table(64, seed, labelled=False), labelled=False)
            network(*scorer.inputs.build(rows))
    network.config = replace(network.config, precision=precision)
    return NetworkScorer(network, make_codes())


def row(seed=5):
    return feature_table(1, seed, labelled=False)


def nothing_known(network) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Known input, embeddings, and what is known of nobody and no words."""
    embedded = [table.weight.mean(dim=0) for table in (network.language, network.hour, network.day)]
    none = torch.zeros(1, 2 * bool(network.config.vocabulary), dtype=torch.int64)
    beside = network.identified(torch.zeros(1, 0), none, none[0, :0], torch.zeros(1, dtype=torch.int64))
    return baseline_known(network.config), torch.cat(embedded).unsqueeze(0), beside


def logits_of(network, known, embedded, beside):
    first = network.first_known(known) + network.first_embedded(embedded)
    return network.above_first(torch.cat([first, beside], dim=1))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("base_rates", [(), (0.4, 0.1, 0.02, 0.03)])
def test_contributions_and_baseline_sum_to_the_logits(architecture, base_rates):
    scorer = make_scorer(architecture, base_rates)
    for seed in range(6):
        found = attribute_network(scorer, row(seed))
        np.testing.assert_allclose(
            found.baseline + found.contributions.sum(axis=1), scorer.logits(row(seed))[0], rtol=0, atol=1e-3
        )
        with torch.no_grad():
            expected = logits_of(scorer.network, *nothing_known(scorer.network))[0]
        np.testing.assert_allclose(found.baseline, expected, atol=1e-5)
        assert np.abs(found.residual).max() <= TOLERANCE
    assert np.abs(found.contributions).max() > 0.05


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_a_slow_integral_over_every_input(architecture):
    scorer = make_scorer(architecture)
    network = scorer.network
    known, categories, *others = scorer.inputs.build(network.reader.rows(row(), labelled=False))
    with torch.no_grad():
        start = nothing_known(network)
        end = (known, network.embed(categories), network.identified(torch.zeros(1, 0), *others))
    expected = {name: np.zeros(4) for name in FEATURE_NAMES}
    steps = 300
    for step in range(steps):
        point = [(a + (b - a) * (step + 0.5) / steps).requires_grad_() for a, b in zip(start, end, strict=True)]
        for target, logit in enumerate(logits_of(network, *point)[0]):
            gradients = torch.autograd.grad(logit, point, retain_graph=True)
            moved = torch.cat([g * (b - a) for g, a, b in zip(gradients, start, end, strict=True)], dim=1)[0]
            names = input_features(network.config) + network.identified_features
            for name, value in zip(names, moved.tolist(), strict=True):
                expected[name][target] += value / steps
    found = attribute_network(scorer, row()).contributions
    np.testing.assert_allclose(found.T, np.array(list(expected.values())), atol=2e-3)


def test_what_the_network_ignores_or_the_row_lacks_contributes_nothing():
    scorer = make_scorer()
    ignored = [place for place, name in enumerate(input_features(scorer.network.config)) if name == "pair_like"]
    with torch.no_grad():
        scorer.network.first_known.weight[:, ignored] = 0
    table = row()
    for name in (*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES):
        if name.startswith("valid_"):
            table = set_column(table, name, [0])
    found = dict(zip(FEATURE_NAMES, attribute_network(scorer, table).contributions.T, strict=True))
    assert not found["pair_like"].any()
    assert found["pair_reply"].all()
    without = [name for name in FEATURE_NAMES if FEATURES[name].family.startswith("validation_")]
    assert len(without) > 80
    assert not np.array([found[name] for name in without]).any()


def test_the_baseline_is_the_input_of_a_row_without_history_but_for_sizes():
    table = row()
    for name in (*schema.INTERACTION_FEATURES, *schema.EXPOSURE_FEATURES, "n_hashtags", *schema.BINARY_FEATURES):
        table = set_column(table, name, [name == "is_top_level" if name in schema.BINARY_FEATURES else 0])
    for name, value in token_values([schema.CLS_TOKEN, schema.SEP_TOKEN]).items():
        table = set_column(table, name, [value])
    scorer = make_scorer()
    known = scorer.inputs.build(RowReader(LANGUAGES).rows(table, labelled=False)).known
    baseline = baseline_known(scorer.network.config)
    differs = {
        name
        for name, here, there in zip(input_features(scorer.network.config), known[0], baseline[0], strict=False)
        if here != there
    }
    assert differs == {*schema.PROFILE_NUMBERS} - {"n_hashtags"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_in_bfloat16_is_taken_apart_in_float32(architecture):
    scorer = make_scorer(architecture, precision="bf16")
    found = attribute_network(scorer, row())
    assert np.abs(found.residual).max() < 1e-3
    np.testing.assert_allclose(found.logits, scorer.logits(row())[0], atol=0.1)
    assert scorer.logits(row()).dtype == np.float32
