import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.precision import bf16_is_fast, resolve_precision
from engage_pipeline.model.network import scoring
from engage_pipeline.model.network.architectures import new_network
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.network_config import NetworkConfig
from engage_pipeline.model.network.network_files import save_network
from engage_pipeline.model.network.scoring import BATCH_ROWS, NetworkScorer, logits_of_both
from engage_pipeline.settings.families import FURTHER_FAMILIES
from engage_pipeline_tests.model.network.network_samples import (
    ARCHITECTURES,
    DEPTH,
    LANGUAGES,
    WIDTH,
    make_codes,
    make_network,
    set_column,
)
from engage_pipeline_tests.samples import feature_table

CPU = torch.device("cpu")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 0.03)])
def test_equals_the_network_row_by_row(tmp_path, architecture, precision, tolerance):
    network = make_network(architecture, precision=precision).eval()
    save_network(network, tmp_path)
    table = feature_table(BATCH_ROWS + 20, 3, labelled=False)
    scorer = NetworkScorer.load(tmp_path, make_codes(), threads=1)
    logits = scorer.logits(table)
    assert logits.dtype == np.float32
    inputs = InputBuilder.of(network, make_codes(), CPU)
    for place in (0, 1, BATCH_ROWS, BATCH_ROWS + 19):
        row = network.reader.rows(table.slice(place, 1), labelled=False)
        expected = network(*inputs.build(row)).detach().numpy()[0]
        np.testing.assert_allclose(logits[place], expected, rtol=0, atol=tolerance)
        np.testing.assert_allclose(scorer.logits_of(row)[0], expected, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(scorer.logits(table), logits)  # a single row in between changes nothing


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("rates", "languages", "shifted", "alike"),
    [
        ((), LANGUAGES, False, True),
        ((0.4, 0.1, 0.01, 0.03), LANGUAGES, False, False),
        ((), LANGUAGES[::-1], False, False),
        ((), LANGUAGES, True, False),
    ],
)
def test_two_networks_give_what_each_gives_alone(architecture, rates, languages, shifted, alike):
    codes = make_codes()
    first = NetworkScorer(make_network(architecture), codes)
    other = make_network(architecture, languages=languages, hidden_size=8, base_rates=rates)
    second = NetworkScorer(other, np.roll(codes, 1, axis=0) if shifted else codes)
    assert first.reads_like(second) == alike
    table = feature_table(BATCH_ROWS + 20, 3, labelled=False)
    for found, scorer in zip(logits_of_both(first, second, table, alike=alike), (first, second), strict=True):
        np.testing.assert_array_equal(found, scorer.logits(table))


@pytest.mark.parametrize("fast", [False, True])
def test_a_network_that_reads_rounded_input_reads_its_own(fast, monkeypatch):
    """Where bfloat16 is not fast, both read float32."""
    monkeypatch.setattr(scoring, "bf16_is_fast", lambda _: fast)
    codes = make_codes()
    first, second = (NetworkScorer(make_network(precision=name), codes) for name in ("bf16", "fp32"))
    alike = first.reads_like(second)
    assert alike != fast
    table = feature_table(20, 3, labelled=False)
    for found, scorer in zip(logits_of_both(first, second, table, alike=alike), (first, second), strict=True):
        np.testing.assert_array_equal(found, scorer.logits(table))


def test_scores_rows_of_an_unseen_language_and_none_at_all(tmp_path):
    save_network(make_network(), tmp_path)
    scorer = NetworkScorer.load(tmp_path, make_codes())
    table = feature_table(3, 0)
    unseen, other = (scorer.logits(set_column(table, "language", [name] * 3)) for name in ("xx", "en"))
    assert np.isfinite(unseen).all()
    assert not np.array_equal(unseen, other)
    assert scorer.logits(table.slice(0, 0)).shape == (0, 4)


def test_auto_is_bf16_only_where_it_is_fast():
    assert resolve_precision("auto", CPU) == ("bf16" if bf16_is_fast(CPU) else "fp32")
    assert [resolve_precision(name, CPU) for name in ("fp32", "bf16")] == ["fp32", "bf16"]


def test_counters_beyond_the_reference_are_read_by_the_networks_that_know_them_alone():
    families = [family.name for family in FURTHER_FAMILIES]
    further = schema.further_counters(families)
    table = feature_table(30, 3, labelled=False, families=families)
    without = table.drop_columns(schema.further_features(further))
    plain = NetworkScorer(make_network(precision="fp32"), make_codes())
    np.testing.assert_array_equal(plain.logits(table), plain.logits(without))
    rates = (0.4, 0.1, 0.01, 0.03)
    networks = [
        new_network(NetworkConfig(LANGUAGES, DEPTH, WIDTH, 16, 4, base_rates=rates, further_counters=counters))
        for counters in ((), further)
    ]
    for network in networks:
        torch.nn.init.normal_(network.first_known.weight)
    before, knowing = (NetworkScorer(network, make_codes()) for network in networks)
    assert not before.reads_like(knowing)
    for found, scorer in zip(logits_of_both(before, knowing, table, alike=False), (before, knowing), strict=True):
        alone = np.concatenate([scorer.logits(table.slice(place, 1)) for place in range(30)])
        np.testing.assert_allclose(found, alone, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(before.logits(table), before.logits(without))
    with pytest.raises(UserError, match=r"type_like.*feature family that the rows were made without"):
        knowing.logits(without)
