"""Communities: planted ones are found in both roles; vectors against numpy's dense decomposition."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score  # noqa: TID253 - nothing light imports tests

from engage_pipeline.interactions.counters.counting import count_training
from engage_pipeline.interactions.counters.tables import table_path
from engage_pipeline.interactions.graphs import communities
from engage_pipeline.interactions.graphs.communities import NO_COMMUNITY, SCHEMA, Communities, embed, find_communities
from engage_pipeline.interactions.graphs.exposure_matrix import ABSENT, ExposureMatrix
from engage_pipeline.numerics.fingerprints import fingerprints, hashes
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.interactions.counters.test_counting import exposure
from engage_pipeline_tests.interactions.typed_parts import write_typed
from engage_pipeline_tests.samples import tiny_settings

Pairs = dict[tuple[int, int], int]
"""How often a viewer (first) was shown an author, both by number."""


def write_counts(folder: Path, pairs: Pairs, users: int) -> Path:
    """What is read of interaction_counts; the user with the number n is the n-th by the hash of a name."""
    folder.mkdir(exist_ok=True)
    ids = np.sort(hashes(names(users)))
    rows = sorted((viewer, author, shown) for (viewer, author), shown in pairs.items())
    viewers = sorted({viewer for viewer, _, _ in rows})
    ends = np.searchsorted([viewer for viewer, _, _ in rows], viewers, side="right")
    write_table(folder, "viewer", {"hash": ids[np.array(viewers, int) - 1], "pair_end": ends.astype(np.int32)})
    authors, shown = (np.array([row[place] for row in rows], np.int32) for place in (1, 2))
    write_table(folder, "pair", {"value": ids[authors - 1], "exposures": shown})
    write_table(folder, "author", {"hash": ids})
    return folder


def write_table(folder: Path, key: str, columns: dict[str, np.ndarray]) -> None:
    batch = pa.record_batch(columns)
    with pa.ipc.new_file(str(table_path(folder, "", key, 0)), batch.schema) as writer:
        writer.write_batch(batch)


def names(users: int) -> pa.Array:
    """Names in the order of their hashes."""
    found = pa.array([f"u{number}" for number in range(1, users + 1)], pa.string())
    return found.take(pa.array(np.argsort(hashes(found))))


def planted(users: int, groups: int, seed: int) -> tuple[Pairs, np.ndarray]:
    """Pairs of which six of seven lie within a group, and the group of each user. The first half are authors too."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, users)
    pairs: Pairs = {}
    for viewer in range(users):
        own = np.flatnonzero(group[: users // 2] == group[viewer])
        shown = [*rng.choice(own, 12), *rng.integers(0, users // 2, 2)]
        pairs |= {(viewer + 1, int(author) + 1): int(rng.integers(1, 4)) for author in shown}
    return pairs, group


def dense(pairs: Pairs, users: int) -> np.ndarray:
    """The matrix [users + 1, users + 1] entry by entry."""
    plain = np.zeros((users + 1, users + 1))
    for place, shown in pairs.items():
        plain[place] = np.log(1 + shown)
    return plain / np.sqrt(plain.sum(axis=1) + 5)[:, None] / np.sqrt(plain.sum(axis=0) + 5)


def community_settings(folder: Path, **values: int) -> Settings:
    return tiny_settings(folder, communities=values)


def found_in(folder: Path, pairs: Pairs, users: int, **values: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """Communities as authors and as viewers of the users in order of number, and the facts."""
    output = folder / "communities.parquet"
    facts = find_communities(
        write_counts(folder / "counts", pairs, users), output, community_settings(folder, **values)
    )
    loaded = Communities.load(output)
    ids = fingerprints(names(users))
    return loaded.of_authors(ids), loaded.of_viewers(ids), facts


def test_planted_communities_are_found_in_both_roles(tmp_path: Path) -> None:
    pairs, group = planted(900, 8, 1)
    as_author, as_viewer, facts = found_in(tmp_path, pairs, 900, count=8, dimensions=16)
    shown = as_author != NO_COMMUNITY
    assert adjusted_rand_score(group[shown], as_author[shown]) > 0.8
    assert adjusted_rand_score(group, as_viewer) > 0.8
    assert (as_author[shown] == as_viewer[shown]).mean() > 0.9
    assert set(np.flatnonzero(shown) + 1) == {author for _, author in pairs}
    assert {name: facts[name] for name in ("users", "authors", "viewers", "communities", "dimensions")} == {
        "users": 900, "authors": shown.sum(), "viewers": 900, "communities": 8, "dimensions": 16
    }  # fmt: skip
    assert [path.name for path in tmp_path.glob("*.parquet")] == ["communities.parquet"]


def test_a_cut_to_few_authors_still_places_the_others(tmp_path: Path) -> None:
    pairs, group = planted(900, 8, 2)
    as_author, as_viewer, _ = found_in(tmp_path, pairs, 900, count=8, dimensions=16, max_authors=150)
    shown = as_author != NO_COMMUNITY
    assert shown.sum() > 400
    assert adjusted_rand_score(group[shown], as_author[shown]) > 0.8
    assert adjusted_rand_score(group, as_viewer) > 0.6


def matrix_of(folder: Path, pairs: Pairs, users: int) -> ExposureMatrix:
    counts = write_counts(folder / "counts", pairs, users)
    return ExposureMatrix.write(counts, folder / "by_viewer.parquet")


def test_vectors_are_those_of_the_dense_decomposition(tmp_path: Path) -> None:
    pairs, _ = planted(300, 5, 3)
    embedding = embed(matrix_of(tmp_path, pairs, 300), community_settings(tmp_path, dimensions=4))
    left, values, right = np.linalg.svd(dense(pairs, 300))
    np.testing.assert_allclose(embedding.values, values[:4], rtol=1e-3)
    sums = np.zeros((301, 4), np.float32)
    viewers = np.zeros((301, 4))
    for numbers, vectors in embedding.viewers(np.arange(301, dtype=np.int32), sums):
        viewers[numbers] = vectors
    authors = embedding.authors(sums)
    for found, basis in ((viewers, left), (authors, right.T)):
        expected = basis[:, :4] * np.sqrt(values[:4])
        seen = np.linalg.norm(expected, axis=1) > 1e-6
        expected = expected[seen] / np.linalg.norm(expected[seen], axis=1)[:, None]
        # Signs of singular vectors are free: angles between users are not.
        np.testing.assert_allclose(found[seen] @ found[seen].T, expected @ expected.T, atol=0.02)
        assert not found[~seen].any()


@settings(deadline=None, max_examples=25)
@given(
    pairs=st.dictionaries(st.tuples(st.integers(1, 6), st.integers(1, 6)), st.integers(1, 9), max_size=20),
    most_pairs=st.integers(1, 12),
)
def test_blocks_hold_every_pair_once_with_whole_viewers(
    tmp_path_factory: pytest.TempPathFactory, pairs: Pairs, most_pairs: int
) -> None:
    matrix = matrix_of(tmp_path_factory.mktemp("blocks"), pairs, 6)
    expected, places = dense(pairs, 6), np.arange(7, dtype=np.int32)
    places[0], places[4] = ABSENT, ABSENT
    found = np.zeros((7, 7))
    seen: list[int] = []
    for block in matrix.blocks(most_pairs):
        seen += block.viewers.tolist()
        found[block.viewers] = block.matrix(places, 7).toarray()
    assert seen == sorted({viewer for viewer, _ in pairs})
    expected[:, 4] = 0
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_blocks_of_a_large_file_are_read_in_little_memory(tmp_path: Path) -> None:
    random, size, groups = np.random.default_rng(1), 50_000, 12
    path = tmp_path / "pairs.parquet"
    columns = pa.schema([(name, pa.int32()) for name in ("viewer", "author", "exposures")])
    with pq.ParquetWriter(path, columns) as writer:
        for group in range(groups):
            viewers = np.sort(random.integers(group * size, (group + 1) * size, size)).astype(np.int32)
            others = random.integers(0, 2**31 - 1, (2, size)).astype(np.int32) // np.array([[2000], [1]], np.int32)
            writer.write_table(pa.table([viewers, *others], schema=columns))
    users = groups * size + 1
    matrix = ExposureMatrix(path, np.arange(1, users, dtype=np.uint64), *np.ones((2, 1_100_000)))
    held, pairs, before = [], 0, pa.total_allocated_bytes()
    for block in matrix.blocks(5000):
        held.append(pa.total_allocated_bytes() - before)
        pairs += len(block.authors)
    assert pairs == groups * size
    assert max(held) < path.stat().st_size / 3


def test_users_of_real_counts_are_known_by_their_fingerprints(tmp_path: Path) -> None:
    rows = [exposure(line, *pair, 0) for line, pair in enumerate([("ana", "ben"), ("ana", "cal"), ("dan", "ben")])]
    rows.append(exposure(3, "eve", None, 0))
    (tmp_path / "counts").mkdir()
    count_training([write_typed(rows, tmp_path / "tweets.parquet")], tmp_path / "counts", tiny_settings(tmp_path))
    output = tmp_path / "communities.parquet"
    facts = find_communities(tmp_path / "counts", output, tiny_settings(tmp_path))
    assert (facts["users"], facts["authors"], facts["viewers"], facts["communities"]) == (5, 2, 2, 3)
    loaded = Communities.load(output)
    assert (np.diff(loaded.user) > 0).all()
    ids = fingerprints(pa.array(["ana", "ben", "cal", "dan", "eve", "fay", None]))
    assert (loaded.of_authors(ids) == NO_COMMUNITY).tolist() == [False, True, True, False, True, True, True]
    assert (loaded.of_viewers(ids) == NO_COMMUNITY).tolist() == [True, False, False, True, True, True, True]
    assert loaded.of_viewers(ids).dtype == np.int32


def test_viewers_of_the_other_authors_alone_have_no_community(tmp_path: Path) -> None:
    as_author, as_viewer, _ = found_in(tmp_path, {(1, 3): 9, (2, 3): 9, (4, 5): 1}, 5, max_authors=1)
    assert (as_viewer == NO_COMMUNITY).tolist() == [False, False, True, True, True]
    assert (as_author == NO_COMMUNITY).tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("users", [0, 3])
def test_without_pairs_nobody_has_a_community(tmp_path: Path, users: int) -> None:
    as_author, as_viewer, facts = found_in(tmp_path, {}, users)
    assert as_author.tolist() == as_viewer.tolist() == [NO_COMMUNITY] * users
    assert (facts["communities"], facts["shares"]) == (0, {"authors": [], "viewers": []})
    assert pq.read_schema(tmp_path / "communities.parquet").equals(SCHEMA)


def test_a_single_pair_is_a_world(tmp_path: Path) -> None:
    as_author, as_viewer, facts = found_in(tmp_path, {(1, 2): 1}, 2)
    assert facts["communities"] == 2
    assert (as_author[0], as_viewer[1]) == (NO_COMMUNITY, NO_COMMUNITY)
    assert (as_author[1], as_viewer[0]) != (NO_COMMUNITY, NO_COMMUNITY)


@pytest.mark.parametrize(("values", "expected"), [({}, 45), ({"count": 7}, 7)])
def test_the_number_of_communities_grows_with_the_root_of_the_users(
    tmp_path: Path, values: dict[str, int], expected: int
) -> None:
    assert found_in(tmp_path, planted(900, 4, 4)[0], 900, **values)[2]["communities"] == expected


def test_samples_and_few_held_authors_find_communities_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, group = planted(900, 8, 5)
    whole = found_in(tmp_path, pairs, 900, count=8, dimensions=16)
    monkeypatch.setattr(communities, "HELD_AUTHORS", 100)
    for before, after in zip(whole[:2], found_in(tmp_path, pairs, 900, count=8, dimensions=16)[:2], strict=True):
        np.testing.assert_array_equal(after, before)
    monkeypatch.setattr(communities, "SAMPLE_VECTORS", 400)
    assert adjusted_rand_score(group, found_in(tmp_path, pairs, 900, count=8, dimensions=16)[1]) > 0.8


def test_the_file_repeats_to_the_byte(tmp_path: Path) -> None:
    pairs, _ = planted(400, 4, 6)
    found_in(tmp_path, pairs, 400)
    first = (tmp_path / "communities.parquet").read_bytes()
    found_in(tmp_path, pairs, 400)
    assert (tmp_path / "communities.parquet").read_bytes() == first
