"""Token ids from text, held against Python's own reading of each text."""

import random
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engage_pipeline.ingest.parsing.tokens import read_tokens, strict_token_ids
from engage_pipeline.numerics.token_bytes import tokens_of
from engage_pipeline.schema import TOKEN_COLUMNS
from engage_pipeline_tests.token_lists import token_arrays

PIECES = ["101", "0", "119546", "119547", "7", "12345678", "123456789", "00000000012", "-0", "-5", "+5", "1.5", "1e3",
          "0x10", "1_000", " 5", "", "٣", "é", "/", ":", "99999999999", "\x02", "4294967301", "100000005"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("\t".join)


def expected(text: str | None) -> list[int] | None:
    """The ids, or None where the text is bad."""
    if not text:
        return []
    numbers = text.split("\t")
    if not all(re.fullmatch("-?[0-9]+", number, re.ASCII) for number in numbers):
        return None
    ids = [int(number) for number in numbers]
    return ids if min(ids) >= 0 and max(ids) < 119_547 else None


def check(texts: list[str | None]) -> None:
    low, high, bad = read_tokens(pa.array([text + "\x01" if text else None for text in texts], pa.string()))
    wanted = [expected(text) for text in texts]
    assert bad.tolist() == [ids is None for ids in wanted]
    assert [strict_token_ids(text) if text else [] for text in texts] == wanted
    packed = token_arrays([ids or [] for ids in wanted])
    assert low.equals(packed["text_tokens"])
    assert high.equals(packed["text_tokens_high"])


@pytest.mark.parametrize("piece", PIECES)
def test_one_odd_number_among_plain_ones(piece: str) -> None:
    check(["101\t102", piece, f"101\t{piece}", f"{piece}\t102", None, f"1\t{piece}\t2", "103"])


@given(texts=st.lists(TEXTS | st.none(), min_size=1, max_size=8))
@example(texts=[None, "101"])
@example(texts=[None, None])
@example(texts=["\t"])
def test_any_texts_are_read_as_python_reads_them(texts: list[str | None]) -> None:
    check(texts)


@pytest.mark.parametrize("odd_share", [0.0, 0.002])
def test_many_texts_are_read_as_python_reads_them(odd_share: float) -> None:
    rng = random.Random(1)
    texts: list[str | None] = []
    for _ in range(5000):
        numbers = [str(rng.randrange(119_547)) for _ in range(rng.randrange(20))]
        if rng.random() < odd_share:
            numbers.append(rng.choice(PIECES))
        texts.append("\t".join(numbers) or None)
    check(texts)


def test_every_id_of_the_vocabulary_is_read() -> None:
    ids = np.arange(119_547)
    low, high, bad = read_tokens(pa.array(["\t".join(map(str, ids.tolist())) + "\x01"]))
    assert not bad.any()
    table = pa.table([low, high], names=list(TOKEN_COLUMNS))
    assert np.array_equal(tokens_of(table)[1], ids)
