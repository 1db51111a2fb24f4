"""Fingerprints against fasthash64 in plain Python."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT, check_of, checks, combined, fingerprints, hashes

WORD = 2**64 - 1
FACTOR = 0x880355F21E6D1965


def plain_mix(value: int) -> int:
    value = ((value ^ (value >> 23)) * 0x2127599BF4325C37) & WORD
    return value ^ (value >> 47)


def signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def plain(text: str | None, seed: int = 0) -> int:
    """fasthash64 byte by byte: words of 8 bytes, and what is left as a shorter one."""
    if text is None:
        return NO_FINGERPRINT
    data = text.encode()
    value = seed ^ (len(data) * FACTOR & WORD)
    for first in range(0, len(data), 8):
        word = int.from_bytes(data[first : first + 8], "little")
        value = (value ^ plain_mix(word)) * FACTOR & WORD
    return plain_mix(value) or 1


TEXTS = st.lists(st.none() | st.text(max_size=40), max_size=20)


@given(TEXTS, st.integers(0, 3))
def test_equal_the_plain_hash_of_each_text_wherever_it_stands(texts: list[str | None], first: int) -> None:
    array = pa.array(texts, pa.string())
    expected = [signed(plain(text)) for text in texts]
    assert fingerprints(array).tolist() == fingerprints(texts).tolist() == expected
    assert fingerprints(array[first:]).tolist() == expected[first:]
    assert fingerprints(pa.chunked_array([array[:first], array[first:]])).tolist() == expected
    coded = array.dictionary_encode()
    assert fingerprints(coded[first:]).tolist() == expected[first:]
    chunks = [array[:first].dictionary_encode(), array[first:].dictionary_encode()]
    assert fingerprints(pa.chunked_array(chunks)).tolist() == expected


@given(TEXTS)
def test_checks_are_the_upper_bits_of_a_second_hash(texts: list[str | None]) -> None:
    array = pa.array(texts, pa.string())
    assert hashes(array, 1).tolist() == [plain(text, 1) for text in texts]
    assert checks(array).tolist() == [check_of(text) for text in texts] == [plain(text, 1) >> 48 for text in texts]


@given(st.lists(st.integers(0, 300), min_size=9, max_size=40))
def test_texts_of_any_lengths_together(lengths: list[int]) -> None:
    texts = ["".join(chr(97 + (place * length) % 26) for place in range(length)) for length in lengths]
    assert hashes(pa.array(texts, pa.string())).tolist() == [plain(text) for text in texts]


@pytest.mark.parametrize("length", [7, 8, 9, 15, 16, 17])
def test_zero_bytes_at_the_end_make_another_text(length: int) -> None:
    texts = ["a" * length + "\0" * added for added in range(10)]
    assert len(set(hashes(pa.array(texts)).tolist())) == len(texts)


def test_texts_behind_one_another_do_not_read_their_neighbours() -> None:
    """All of one length, which takes the way without sorting, and each alone."""
    texts = [f"user-{number:05}" for number in range(50)]
    together = hashes(pa.array(texts)).tolist()
    assert together == [hashes(pa.array([text])).tolist()[0] for text in texts] == [plain(text) for text in texts]


def test_the_empty_text_is_not_missing() -> None:
    """fasthash64 of no bytes is 0, which is kept for nulls."""
    assert plain_mix(0) == NO_FINGERPRINT
    assert hashes(pa.array(["", None, ""])).tolist() == [1, 0, 1]


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), min_size=2, max_size=20, unique=True))
def test_different_combinations_differ_in_either_order(pairs: list[tuple[str, str]]) -> None:
    left, right = (fingerprints(pa.array(list(column))) for column in zip(*pairs, strict=True))
    assert len(set(combined(left, right).tolist())) == len(pairs)
    assert all(
        (a == b) == (a_b == b_a)
        for a, b, a_b, b_a in zip(
            left.tolist(), right.tolist(), combined(left, right).tolist(), combined(right, left).tolist(), strict=True
        )
    )


def test_a_combination_without_one_of_its_parts_is_missing() -> None:
    known = fingerprints(pa.array(["a", "b", None]))
    other = fingerprints(pa.array([None, "b", "c"]))
    assert (combined(known, other) == NO_FINGERPRINT).tolist() == [True, False, True]


@given(st.lists(st.integers(-(2**63), 2**63 - 1).filter(bool), min_size=1, max_size=4))
def test_a_combination_mixes_one_part_after_the_other(parts: list[int]) -> None:
    expected = FACTOR
    for part in parts:
        expected = plain_mix((expected ^ part & WORD) * FACTOR & WORD)
    assert combined(*(np.array([part]) for part in parts)).tolist() == [signed(expected or 1)]


def test_no_combination_of_known_parts_is_missing() -> None:
    """(factor ^ factor) * factor = 0, which mixing keeps: the only single part that would give NO_FINGERPRINT."""
    assert combined(np.array([signed(FACTOR)])).tolist() == [1]
