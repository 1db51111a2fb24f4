"""Fingerprints against FNV-1a and SplitMix64 in plain Python."""

import sys

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT, combined, fingerprints

WORD = 2**64 - 1


def plain_mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & WORD
    return (value ^ (value >> 31)) or 1


def signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def plain(text: str | None) -> int:
    if text is None:
        return NO_FINGERPRINT
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & WORD
    return signed(plain_mix(value))


TEXTS = st.lists(st.none() | st.text(max_size=40), max_size=20)


@given(TEXTS, st.integers(0, 3))
def test_equal_the_plain_hash_of_each_text_wherever_it_stands(texts: list[str | None], first: int) -> None:
    array = pa.array(texts, pa.string())
    expected = [plain(text) for text in texts]
    assert fingerprints(array).tolist() == expected
    assert fingerprints(array[first:]).tolist() == expected[first:]
    assert fingerprints(pa.chunked_array([array[:first], array[first:]])).tolist() == expected


def test_one_long_text_among_short_ones_takes_no_step_of_all_for_each_of_its_bytes() -> None:
    def calls(length: int) -> int:
        """Function calls, those into numpy counted too: one a step."""
        made = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal made
            made += event in {"call", "c_call"}

        texts = pa.array([*("ab" * (number % 17) for number in range(300)), "x" * length])
        sys.setprofile(count)
        try:
            fingerprints(texts)
        finally:
            sys.setprofile(None)
        return made

    assert calls(200_000) == calls(2_000)


@given(st.lists(st.integers(0, 300), min_size=9, max_size=40))
def test_texts_of_any_lengths_together(lengths: list[int]) -> None:
    texts = ["".join(chr(97 + (place * length) % 26) for place in range(length)) for length in lengths]
    assert fingerprints(pa.array(texts, pa.string())).tolist() == [plain(text) for text in texts]


def test_known_values_of_fnv_1a_lie_beneath() -> None:
    """Published test vectors: FNV-1a of "" and "foobar"."""
    assert plain("") == signed(plain_mix(0xCBF29CE484222325))
    assert fingerprints(pa.array(["foobar"])).tolist() == [signed(plain_mix(0x85944171F73967E8))]


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


def test_no_combination_of_known_parts_is_missing() -> None:
    """(offset ^ offset) * prime = 0, which SplitMix64 keeps: the only single part that would give NO_FINGERPRINT."""
    assert combined(np.array([signed(0xCBF29CE484222325)])).tolist() == [1]
