"""Looking counts up, ids that share a hash among them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.errors import UserError
from engage_pipeline.interactions.counters.look_ups import add_nested, find_ids
from engage_pipeline.interactions.counters.tables import SideTables, Table, table_path, table_paths
from engage_pipeline.interactions.shards.counting import NESTED_SCHEMA, count_shard
from engage_pipeline.interactions.shards.files import BUCKETS
from engage_pipeline.interactions.shards.grouping import COUNTS
from engage_pipeline.interactions.shards.rows import Ids, Lists, ids_of
from engage_pipeline.settings.families import Key
from engage_pipeline_tests.interactions.shards.shard_rows import VIEWERS, Shown, side_rows

KEYS: dict[str, Key] = {key.name: key for key in VIEWERS.nested}
HIGH = 1 << 63
"""The first hash of the second of two shards."""
ROWS = [
    Shown(1, 0, 1, author=5, language=1, hashtags=(7,), check=11),
    Shown(1, 0, 2, author=6, check=11),
    Shown(3, 0, 0, author=5, language=2, hashtags=(7, 7, 8), check=13),
    Shown(HIGH, 0, 4, author=5, check=21),
    Shown(HIGH + 9, 0, 8, author=HIGH, check=29),
    Shown(HIGH + 9, 0, 8, author=5, hashtags=(8,), check=29),
]


@pytest.fixture
def tables() -> SideTables:
    """The tables of ROWS in two shards."""
    shards = [
        count_shard(side_rows([row for row in ROWS if (row.viewer >= HIGH) == high]), VIEWERS, {"language": ["a", "b"]})
        for high in (False, True)
    ]
    found = {name: Table([shard[name] for shard in shards]) for name in ("viewer", *KEYS)}
    return SideTables(VIEWERS, found["viewer"], {name: found[name] for name in KEYS})


def ids(*pairs: tuple[int, int]) -> Ids:
    return Ids(np.array([one for one, _ in pairs], np.uint64), np.array([check for _, check in pairs], np.uint16))


ASKED = ids((HIGH + 9, 29), (1, 11), (2, 11), (0, 0), (3, 13), (HIGH, 21), (HIGH + 10, 29), (1, 11))


def test_ids_are_found_in_their_shard_and_others_count_nothing(tables: SideTables) -> None:
    found = tables.find(ASKED)
    assert sorted(found.rows.tolist()) == [0, 1, 4, 5, 7]
    assert tables.counts(found, 8).T.tolist() == [
        [0, 0, 0, 2, 0, 2],
        [1, 1, 0, 0, 0, 2],
        [0] * 6,
        [0] * 6,
        [0, 0, 0, 0, 1, 1],
        [0, 0, 1, 0, 0, 1],
        [0] * 6,
        [1, 1, 0, 0, 0, 2],
    ]


def test_an_id_with_the_hash_of_another_counts_nothing(tables: SideTables) -> None:
    asked = ids((1, 11), (1, 12), (HIGH, 21), (HIGH, 22))
    found = tables.find(asked)
    assert found.rows.tolist() == [0, 2]
    assert tables.counts(found, 4)[-1].tolist() == [2, 0, 1, 0]
    authors = ids((5, 0), (5, 0), (5, 0), (5, 0))
    assert tables.nested_counts(KEYS["pair"], found, authors, 4)[-1].tolist() == [1, 0, 1, 0]


def test_a_nested_value_is_looked_for_within_its_id_alone(tables: SideTables) -> None:
    asked = ids((1, 11), (1, 11), (1, 11), (3, 13), (3, 13), (HIGH + 9, 29), (HIGH + 9, 29), (HIGH + 9, 29))
    authors = ids((5, 0), (6, 0), (HIGH, 0), (5, 0), (6, 0), (HIGH, 0), (5, 0), (0, 0))
    found = tables.nested_counts(KEYS["pair"], tables.find(asked), authors, 8)
    assert found.T.tolist() == [
        [1, 0, 0, 0, 0, 1],
        [0, 1, 0, 0, 0, 1],
        [0] * 6,
        [0, 0, 0, 0, 1, 1],
        [0] * 6,
        [0, 0, 0, 1, 0, 1],
        [0, 0, 0, 1, 0, 1],
        [0] * 6,
    ]


def test_names_are_looked_up_by_their_hashes(tables: SideTables) -> None:
    languages = ids_of(pa.chunked_array([["a", "b", None, "a"]]))
    found = tables.nested_counts(KEYS["language"], tables.find(ids((1, 11), (1, 11), (1, 11), (3, 13))), languages, 4)
    assert found[-1].tolist() == [1, 0, 0, 0]


def test_counts_of_several_values_are_added(tables: SideTables) -> None:
    lists = Lists(np.array([2, 2, 4, 5, 6]), np.array([7, 8, 7, 7, 8, 8], np.uint64))
    asked = ids((3, 13), (1, 11), (1, 11), (HIGH + 9, 29), (HIGH + 9, 28))
    found = tables.nested_counts(KEYS["hashtag"], tables.find(asked), lists, 5)
    assert found[-1].tolist() == [2 + 1, 0, 1 + 1, 1, 0]
    assert found[0].tolist() == [0, 0, 2, 0, 0]


def test_rows_of_no_known_id(tables: SideTables) -> None:
    found = tables.find(ids((0, 0), (4, 1)))
    assert found.rows.tolist() == []
    assert not tables.nested_counts(KEYS["pair"], found, ids((5, 0), (5, 0)), 2).any()


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    table_path(tmp_path, "chunk_1_", "pair", 0).touch()
    assert table_paths(tmp_path, "chunk_1_", "pair") == [tmp_path / "chunk_1_pair-0000.arrow"]
    for scope, key in (("", "pair"), ("chunk_1_", "author"), ("chunk_11_", "pair")):
        with pytest.raises(UserError, match=f"no counts of {scope}{key}; count again"):
            table_paths(tmp_path, scope, key)


WORDS = st.integers(0, 12) | st.integers(HIGH, HIGH + 3)


@given(
    st.lists(st.lists(WORDS, max_size=9, unique=True).map(sorted), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), WORDS), min_size=1, max_size=20),
)
def test_a_search_in_ranges_finds_what_is_in_them(ranges: list[list[int]], wanted: list[tuple[int, int]]) -> None:
    keys = np.array([word for words in ranges for word in words], np.uint64)
    ends = np.cumsum([len(words) for words in ranges], dtype=np.int32)
    which = np.array([place % len(ranges) for place, _ in wanted])
    words = np.array([word for _, word in wanted], np.uint64)
    counts = [np.arange(1, len(keys) + 1, dtype=np.int32) * (one + 1) for one in range(len(COUNTS))]
    table = table_of(NESTED_SCHEMA, [[keys, *counts]])
    owners = table_of(pa.schema([("pair_end", pa.int32())]), [[ends]])
    found, bounds = np.zeros((len(COUNTS), len(wanted)), np.int32), np.array([0, len(wanted)])
    rows = np.arange(len(wanted))
    add_nested(found, rows, which, bounds, words, owners.columns("pair_end"), table.columns(*NESTED_SCHEMA.names))
    for place, (range_, (_, word)) in enumerate(zip(which.tolist(), wanted, strict=True)):
        before = sum(map(len, ranges[:range_]))
        inside = before + ranges[range_].index(word) if word in ranges[range_] else -1
        assert found[:, place].tolist() == [(inside + 1) * (one + 1) for one in range(len(COUNTS))]


UPPER = st.sampled_from([0, 1, 2, 3, 40, 2**15, 2**16 - 1])
HASHES = st.builds(lambda upper, lower: upper << 48 | lower, UPPER, st.integers(0, 6))


@given(
    st.sets(HASHES, max_size=40),
    st.lists(st.tuples(HASHES, st.integers(0, 1)), max_size=30),
    st.sampled_from([1, 2, 4, 16]),
)
def test_ids_are_found_among_others_whatever_their_order_in_a_bucket(
    known: set[int], wanted: list[tuple[int, int]], shards: int
) -> None:
    asked = sorted(wanted, key=lambda one: one[0] >> 48)
    hashes, checks = np.array([one for one, _ in asked], np.uint64), np.array([check for _, check in asked], np.uint16)
    order = np.arange(len(asked))[::-1].copy()
    table, buckets = ids_in_shards(sorted(known), shards), BUCKETS // shards
    rows, places, bounds = find_ids(table.columns("hash", "check"), buckets, order, hashes, checks)
    expected = [
        (row, one) for row, (one, check) in zip(order.tolist(), asked, strict=True) if one in known and one % 2 == check
    ]
    assert rows.tolist() == [row for row, _ in expected]
    of_shard = [sum(one >> 48 < shard * buckets for _, one in expected) for shard in range(shards + 1)]
    assert bounds.tolist() == of_shard
    assert places.tolist() == [
        sum(other < one and (other >> 48) // buckets == (one >> 48) // buckets for other in known)
        for _, one in expected
    ]


def test_each_of_many_ids_is_found_alone() -> None:
    """They are not spread evenly: the search goes far from where it begins."""
    known = [upper << 48 | lower for upper in range(9) for lower in range(5)]
    table, zero = ids_in_shards(known, 1), np.zeros(1, np.int64)
    for place, one in enumerate(known):
        ids_ = (np.array([one], np.uint64), np.array([one % 2], np.uint16))
        found = find_ids(table.columns("hash", "check"), BUCKETS, zero, *ids_)
        assert [each.tolist() for each in found] == [[0], [place], [0, 1]]


@pytest.mark.parametrize("shards", [1, 4])
def test_many_ids_are_found_among_as_many_others(shards: int) -> None:
    """Spread evenly, and asked for in any order within a bucket: places are those that numpy finds."""
    rng = np.random.default_rng(shards)
    every = rng.integers(0, 1 << 64, 60_000, np.uint64)
    known, asked = np.unique(every[:40_000]), rng.permutation(every[20_000:])
    asked = asked[np.argsort(asked >> np.uint64(48), kind="stable")]
    table, order = ids_in_shards(known.tolist(), shards), np.arange(len(asked))
    rows, places, bounds = find_ids(
        table.columns("hash", "check"), BUCKETS // shards, order, asked, (asked % 2).astype(np.uint16)
    )
    (expected,) = np.isin(asked, known).nonzero()
    assert rows.tolist() == expected.tolist()
    firsts = np.cumsum([0, *map(len, table.batches)])
    before = np.repeat(firsts[:-1], np.diff(bounds))
    assert (places + before).tolist() == np.searchsorted(known, asked[expected]).tolist()


def ids_in_shards(known: list[int], shards: int) -> Table:
    """The table of ids that rise, each with its last bit as its check."""
    buckets = BUCKETS // shards
    of_shard: list[list[int]] = [[] for _ in range(shards)]
    for one in known:
        of_shard[(one >> 48) // buckets].append(one)
    schema = pa.schema([("hash", pa.uint64()), ("check", pa.uint16())])
    return table_of(schema, [[each, [one % 2 for one in each]] for each in of_shard])


def table_of(schema: pa.Schema, shards: Sequence[Sequence[Any]]) -> Table:
    """The table of the columns of each shard."""
    return Table(
        [
            pa.record_batch(
                [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema
            )
            for columns in shards
        ]
    )


def test_columns_of_other_types_are_refused() -> None:
    """They would be read as numbers that they are not."""
    for name, kind in (("hash", pa.int64()), ("check", pa.int32()), ("value", pa.uint32()), ("like", pa.int64())):
        with pytest.raises(UserError, match=f"^{name}: {kind} are no counts; count again$"):
            table_of(pa.schema([(name, kind)]), [[[1]]]).columns(name)
    with pytest.raises(UserError, match=r"^like: int32 are no counts"):
        table_of(pa.schema([("like", pa.int32())]), [[[1]], [[None]]]).columns("like")
