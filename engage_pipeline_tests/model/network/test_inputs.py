import math

import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline import schema
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.rows import RowReader
from engage_pipeline_tests.model.network.network_samples import (
    DEPTH,
    LANGUAGES,
    WIDTH,
    make_codes,
    make_network,
    sample_vocabulary,
)
from engage_pipeline_tests.samples import feature_table
from engage_pipeline_tests.token_lists import token_list

CPU = torch.device("cpu")


def slow_known(row, codes):
    """The known part of the input of one row, in plain Python: sketch, Fourier, binary."""
    sketch = []
    for depth in range(codes.shape[1]):
        counts = [0.0] * WIDTH
        for token in token_list(row)[1:-1]:
            if codes[token][depth] >= 0:
                counts[codes[token][depth]] += 1
        norm = math.sqrt(sum(count**2 for count in counts)) or 1.0
        sketch += [count / norm for count in counts]
    fourier = []
    for name in schema.NUMBERS:
        scales = [row[name] / 2**i for i in range(-1, 7)]
        fourier += [*map(math.sin, scales), *map(math.cos, scales)]
    return [*sketch, *fourier, *(float(row[name]) for name in schema.BINARY_FEATURES)]


def test_equals_a_slow_reference_row_by_row():
    table, codes = feature_table(50, 4), make_codes()
    inputs = InputBuilder(codes, WIDTH, CPU).build(RowReader(LANGUAGES).rows(table, labelled=True))
    expected = [slow_known(row, codes) for row in table.to_pylist()]
    assert inputs.known.shape == (50, make_network().config.known_size) == (50, DEPTH * WIDTH + 73 * 16 + 12)
    assert inputs.known.dtype == torch.float32
    np.testing.assert_allclose(inputs.known, expected, rtol=0, atol=1e-6)


def test_smoothed_rates_come_last():
    rows = RowReader(LANGUAGES).rows(feature_table(20, 4), labelled=True)
    without = InputBuilder(make_codes(), WIDTH, CPU).build(rows).known
    known = InputBuilder(make_codes(), WIDTH, CPU, (0.4, 0.1, 0.01, 0.03)).build(rows).known
    size = make_network(base_rates=(0.4, 0.1, 0.01, 0.03)).config.known_size
    assert known.shape == (20, size) == (20, without.shape[1] + 14 * 5)
    assert torch.equal(known[:, : without.shape[1]], without)


@pytest.mark.parametrize("known", [False, True])
def test_one_row_alone_has_the_input_that_it_has_among_others(known: bool):
    vocabulary = sample_vocabulary() if known else None
    rows = RowReader(LANGUAGES, vocabulary=vocabulary).rows(feature_table(60, 4), labelled=True)
    builder = InputBuilder(make_codes(), WIDTH, CPU, (0.4, 0.1, 0.01, 0.03), vocabulary)
    all_known, categories, people, words, firsts = builder.build(rows)
    ends = [*firsts.tolist()[1:], len(words)]
    for place in range(len(rows)):
        alone = builder.build_one(rows.take(np.array([place])))
        torch.testing.assert_close(alone.known, all_known[place : place + 1], rtol=0, atol=2e-7)
        assert torch.equal(alone.categories, categories[place : place + 1])
        assert torch.equal(alone.people, people[place : place + 1])
        if known:
            assert alone.first_words.tolist() == [0]
            assert torch.equal(alone.words, words[firsts[place] : ends[place]])


def test_with_a_vocabulary_the_sketch_may_be_left_out():
    vocabulary = sample_vocabulary()
    rows = RowReader(LANGUAGES, vocabulary=vocabulary).rows(feature_table(20, 4), labelled=True)
    whole, without = (InputBuilder(make_codes(), width, CPU, (), vocabulary).build(rows).known for width in (WIDTH, 0))
    network = make_network("deep_fm")
    assert whole.shape[1] == network.config.known_size == DEPTH * WIDTH + without.shape[1]
    assert torch.equal(whole[:, DEPTH * WIDTH :], without)
    sketches = InputBuilder(make_codes(), WIDTH, CPU).build(rows).known[:, : DEPTH * WIDTH]
    assert torch.equal(whole[:, : DEPTH * WIDTH], sketches)


def test_with_a_vocabulary_profiles_are_logarithms_and_words_are_numbered():
    table, vocabulary = feature_table(40, 4), sample_vocabulary()
    rows = RowReader(LANGUAGES, vocabulary=vocabulary).rows(table, labelled=True)
    found = InputBuilder(make_codes(), 0, CPU, (), vocabulary).build(rows)
    expected, words, firsts = [], [], []
    tokens = vocabulary.tokens.tolist()
    for row in table.to_pylist():
        logs = [(math.log1p(max(row[name], 0)) - 6) / 3 for name in schema.PROFILE_NUMBERS]
        expected.append([*logs, *(float(row[name]) for name in schema.BINARY_FEATURES)])
        firsts.append(len(words))
        words += [tokens.index(token) + 1 if token in tokens else 0 for token in token_list(row)[1:-1]]
    np.testing.assert_allclose(found.known, expected, rtol=0, atol=1e-6)
    assert found.words.tolist() == words
    assert found.first_words.tolist() == firsts
    assert {0} < {*words}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("sizes", [[60], [1, 20, 0, 39], [0, 60, 0]])
def test_inputs_of_batches_are_those_of_their_rows(known: bool, sizes: list[int]):
    vocabulary = sample_vocabulary() if known else None
    rows = RowReader(LANGUAGES, vocabulary=vocabulary).rows(feature_table(60, 4), labelled=True)
    builder = InputBuilder(make_codes(), WIDTH, CPU, (0.4, 0.1, 0.01, 0.03), vocabulary)
    ends = np.cumsum(sizes)
    for batch, end, size in zip(builder.build(rows).split(sizes), ends, sizes, strict=True):
        alone = builder.build(rows.take(np.arange(end - size, end)))
        for found, expected in zip(batch, alone, strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
