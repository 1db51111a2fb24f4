import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.language.ragged import TokenLists, batches_by_length, training_batches
from engage_pipeline_tests.token_lists import token_arrays

LISTS = st.lists(st.lists(st.integers(1, 500), max_size=9), min_size=1, max_size=30)


def token_lists(lists: list[list[int]], max_tokens: int = 100) -> TokenLists:
    return TokenLists.of_table(pa.table(token_arrays(lists)), max_tokens)


@given(LISTS, st.integers(1, 6), st.randoms())
def test_padding_gives_the_cut_lists_back(lists: list[list[int]], max_tokens: int, random: object) -> None:
    rows = np.arange(len(lists))
    random.shuffle(rows)  # type: ignore[attr-defined]
    ids, present = token_lists(lists, max_tokens).pad(rows)
    assert [ids[i][present[i]].tolist() for i in range(len(rows))] == [lists[row][:max_tokens] for row in rows]
    assert not ids[~present].any()
    assert ids.shape[1] == max(len(tokens[:max_tokens]) for tokens in lists)


@given(LISTS, st.integers(1, 6))
def test_flat_holds_every_token_with_its_list(lists: list[list[int]], max_tokens: int) -> None:
    tokens, owners = token_lists(lists, max_tokens).flat()
    expected = [(token, row) for row, values in enumerate(lists) for token in values[:max_tokens]]
    assert list(zip(tokens.tolist(), owners.tolist(), strict=True)) == expected


def test_a_slice_of_a_column_in_several_chunks_is_read_from_its_own_offsets() -> None:
    parts = [pa.table(token_arrays(lists)) for lists in ([[1], [2, 3]], [[4, 5, 6], [7]])]
    tokens = TokenLists.of_table(pa.concat_tables(parts).slice(1, 2), 100)
    ids, _ = tokens.pad(np.array([0, 1]))
    assert ids.tolist() == [[2, 3, 0], [4, 5, 6]]
    assert tokens.values.tolist() == [2, 3, 4, 5, 6]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=80), st.integers(1, 1000))
def test_batches_by_length_hold_each_row_once_within_the_limit(lengths: list[int], limit: int) -> None:
    batches = batches_by_length(np.array(lengths), limit)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * max(lengths[row] for row in rows) <= limit for rows in batches)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 3))
def test_every_epoch_has_each_row_once(rows: int, batch_size: int, epochs: int) -> None:
    lengths = np.arange(rows) % 7
    steps = training_batches(lengths, batch_size=batch_size, epochs=epochs, seed=1)
    per_epoch = -(-rows // batch_size)
    assert len(steps) == epochs * per_epoch
    for epoch in range(epochs):
        seen = np.concatenate(steps[epoch * per_epoch : (epoch + 1) * per_epoch])
        assert sorted(seen.tolist()) == list(range(rows))


def test_epochs_and_seeds_shuffle_differently_and_repeatably() -> None:
    lengths = np.full(64, 5)

    def order(seed: int) -> list[int]:
        return np.concatenate(training_batches(lengths, batch_size=8, epochs=2, seed=seed)).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1)[:64] != order(1)[64:]


def test_training_batches_pad_little() -> None:
    lengths = np.random.default_rng(0).integers(3, 100, 2000)
    steps = training_batches(lengths, batch_size=16, epochs=1, seed=0)
    padded = sum(len(rows) * lengths[rows].max() for rows in steps)
    assert padded < 1.1 * lengths.sum()
