"""Whom and what a network knows: the most frequent values of the training rows."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.model.network.rows import RowReader
from engage_pipeline.model.network.vocabulary import PEOPLE, Vocabulary, numbers_in
from engage_pipeline.numerics.fingerprints import NO_FINGERPRINT, fingerprint_of
from engage_pipeline_tests.model.network.network_samples import LANGUAGES, sample_vocabulary, set_column, write_parts
from engage_pipeline_tests.samples import feature_table
from engage_pipeline_tests.token_lists import token_list


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    return write_parts(tmp_path, [150, 90], row_group_size=40)


def rows_of(parts: list[Path]) -> list[dict]:
    return [row for place, size in enumerate((150, 90)) for row in feature_table(size, place).to_pylist()]


def most_of(counts: Counter, most: int) -> list[int]:
    """Of equally frequent values the smallest, as numbers that rise."""
    kept = sorted((value for value in counts if counts[value] >= 2), key=lambda value: (-counts[value], value))
    return sorted(kept[:most])


@pytest.mark.parametrize("most", [4, 1000])
def test_the_most_frequent_are_known(parts: list[Path], most: int) -> None:
    found, rows = Vocabulary.of_rows(parts, most), rows_of(parts)
    for name, known in zip(PEOPLE, (found.viewers, found.authors), strict=True):
        counts = Counter(int(np.uint64(fingerprint_of(row[name])).view(np.int64)) for row in rows if row[name])
        assert known.tolist() == most_of(counts, most)
    tokens = Counter(token for row in rows for token in token_list(row))
    assert found.tokens.tolist() == most_of(tokens, most)
    assert found.sizes == tuple(map(len, (found.viewers, found.authors, found.tokens)))


def test_who_is_unknown_has_number_0() -> None:
    vocabulary, table = sample_vocabulary(), feature_table(60, 4)
    ids = table[PEOPLE[0]].to_pylist()
    table = set_column(table, PEOPLE[0], [None, "never seen", *ids[2:]])
    people = RowReader(LANGUAGES, vocabulary=vocabulary).rows(table, labelled=True).people
    assert people[:2, 0].tolist() == [0, 0]
    for column, (name, known) in enumerate(zip(PEOPLE, (vocabulary.viewers, vocabulary.authors), strict=True)):
        for number, text in zip(people[2:, column].tolist(), table[name].to_pylist()[2:], strict=True):
            own = np.uint64(fingerprint_of(text)).view(np.int64)
            assert number == (known.tolist().index(own) + 1 if own in known else 0)
    assert 0 < np.count_nonzero(people == 0) < people.size


def test_without_a_vocabulary_people_are_not_read() -> None:
    table = feature_table(10, 4).drop_columns([*PEOPLE])
    assert RowReader(LANGUAGES).rows(table, labelled=True).people.shape == (10, 0)


@given(st.sets(st.integers(-5, 5)), st.lists(st.integers(-6, 6)))
def test_numbers_count_from_1(known: set[int], values: list[int]) -> None:
    places = {value: place for place, value in enumerate(sorted(known), 1)}
    found = numbers_in(np.array(sorted(known), np.int64), np.array(values, np.int64))
    assert found.tolist() == [places.get(value, 0) for value in values]


def test_counting_many_values_forgets_rare_ones(tmp_path: Path) -> None:
    """One viewer of every row group, and others that come twice: the counts that are held stay few."""
    table = feature_table(400, 1)
    ids = ["often" if place % 8 == 0 else f"{place // 2}" for place in range(400)]
    import pyarrow.parquet as pq

    pq.write_table(set_column(table, PEOPLE[0], pa.array(ids)), tmp_path / "part.parquet", row_group_size=50)
    found = Vocabulary.of_rows([tmp_path / "part.parquet"], 1)
    assert found.viewers.tolist() == [int(np.uint64(fingerprint_of("often")).view(np.int64))]


def test_null_is_nobody(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = set_column(feature_table(40, 1), PEOPLE[1], pa.nulls(40, pa.string()))
    pq.write_table(table, tmp_path / "part.parquet")
    assert NO_FINGERPRINT not in Vocabulary.of_rows([tmp_path / "part.parquet"], 10).authors
    assert len(Vocabulary.of_rows([tmp_path / "part.parquet"], 10).authors) == 0


def test_equal_ones_are_the_same() -> None:
    mine, other = sample_vocabulary(), sample_vocabulary()
    assert mine.same_as(other)
    assert not mine.same_as(None)
    assert not mine.same_as(Vocabulary(mine.viewers, mine.authors, mine.tokens[1:]))
