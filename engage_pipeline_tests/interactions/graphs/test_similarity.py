"""Similar authors: ties, thresholds, hubs, and blocks that change nothing."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.interactions.graphs.edges import EDGE_AUTHORS, EDGES
from engage_pipeline.interactions.graphs.followers import Followers, read_follows, write_matrix
from engage_pipeline.interactions.graphs.similarity import pairs_of, planned, similar_authors
from engage_pipeline_tests.interactions import reference
from engage_pipeline_tests.interactions.counters.test_counting import exposure
from engage_pipeline_tests.interactions.typed_parts import write_typed
from engage_pipeline_tests.samples import tiny_settings


def followers_of(matrix: list[list[int]]) -> Followers:
    """Authors "00", "01", … whose followers are the 1s of the rows of `matrix`."""
    from scipy.sparse import csr_array

    order = np.arange(len(matrix))
    return Followers(Path("none"), np.sum(matrix, axis=1), order, csr_array(matrix, dtype=np.int32))


def follow(followers: dict[str, str], path: Path) -> Path:
    """Typed rows in which each letter of an author's `followers` follows the author, shown twice."""
    pairs = [(author, viewer) for author, viewers in followers.items() for viewer in 2 * viewers]
    rows = [exposure(line, *pair, 0, engagee_follows_engager=True) for line, pair in enumerate(pairs)]
    rows.append(exposure(len(rows), "nobody", "a", 0, engagee_follows_engager=False))
    return write_typed(rows, path)


def find(folder: Path, followers: dict[str, str], top_n: int = 10, threshold: float = 0.1) -> tuple[list, dict]:
    output = folder / "similar.parquet"
    facts = similar_authors(
        [follow(followers, folder / "tweets.parquet")],
        output,
        top_n=top_n,
        threshold=threshold,
        settings=tiny_settings(folder),
    )
    return [tuple(row.values()) for row in pq.read_table(output).to_pylist()], facts


def test_scores_are_jaccard_similarities_of_the_follower_sets(tmp_path: Path) -> None:
    edges, facts = find(tmp_path, {"ana": "abc", "ben": "bcd", "cal": "z"})
    assert edges == [("ana", "ben", 0.5, 0), ("ben", "ana", 0.5, 0)]
    assert facts == {"authors": 3, "follows": 7, "edges": 2, "degrees": {"0": 1, "1": 2} | dict.fromkeys("23456789", 0)}


def test_ties_are_broken_by_id_and_the_author_itself_counts(tmp_path: Path) -> None:
    edges, _ = find(tmp_path, {"d": "ab", "c": "ab", "b": "ab", "a": "ab"}, top_n=3)
    assert [(author, similar) for author, similar, _, _ in edges] == [
        ("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("c", "a"), ("c", "b"), ("d", "a"), ("d", "b")
    ]  # fmt: skip
    assert [rank for *_, rank in edges] == [0, 1] * 4


def test_a_score_on_the_threshold_counts(tmp_path: Path) -> None:
    assert len(find(tmp_path, {"ana": "abcdefghij", "ben": "a"})[0]) == 2
    assert find(tmp_path, {"ana": "abcdefghijk", "ben": "a"})[0] == []


@pytest.mark.parametrize("followers", [{}, {"ana": "a", "ben": "b"}])
def test_nobody_is_similar(tmp_path: Path, followers: dict[str, str]) -> None:
    edges, facts = find(tmp_path, followers)
    assert edges == []
    assert facts["authors"] == len(followers)


def test_only_the_author_itself_is_kept_of_one(tmp_path: Path) -> None:
    assert find(tmp_path, {"ana": "ab", "ben": "ab"}, top_n=1)[0] == []


def test_viewers_of_a_single_author_count_in_sizes_only(tmp_path: Path) -> None:
    path = follow({"ana": "abc", "ben": "a"}, tmp_path / "tweets.parquet")
    read_follows([path], tmp_path, tiny_settings(tmp_path))
    followers = write_matrix(tmp_path)
    assert followers.ids().to_pylist() == ["ben", "ana"]
    assert followers.sizes.tolist() == [1, 3]
    assert followers.place.tolist() == [1, 0]
    assert followers.matrix.toarray().tolist() == [[1], [1]]


@given(
    sets=st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=12),
    most_products=st.integers(1, 60),
    blocks_an_item=st.integers(1, 3),
    threshold=st.sampled_from([0.05, 0.1, 1 / 3, 0.5, 1.0]),
)
def test_blocks_and_size_ranges_change_nothing(
    sets: list[set[int]], most_products: int, blocks_an_item: int, threshold: float
) -> None:
    sets = sorted(sets, key=len)
    names = [f"{index:02}" for index in range(len(sets))]
    rows = [
        exposure(0, author, str(viewer), 0, engagee_follows_engager=True)
        for author, viewers in zip(names, sets, strict=True)
        for viewer in viewers
    ]
    followers = followers_of([[int(viewer in viewers) for viewer in range(10)] for viewers in sets])
    graph: reference.Graph = {}
    end = 0
    for blocks in planned(followers, threshold, most_products, blocks_an_item):
        for (start, stop), pairs in zip(blocks.bounds, pairs_of(followers, blocks, 4, threshold), strict=True):
            assert start == end
            end = stop
            for author, similar, jaccard in zip(pairs.author, pairs.similar, pairs.jaccard, strict=True):
                graph.setdefault(names[author], []).append((names[similar], jaccard))
    assert end == len(sets)
    assert graph == reference.similar_authors(rows, 4, threshold)


def test_a_block_is_cut_before_its_product_grows_large() -> None:
    followers = followers_of([[1] * 50] * 50)
    items = [blocks.bounds for blocks in planned(followers, 0.1, 5000, 20)]
    assert [len(bounds) for bounds in items] == [20, 5]
    assert [bounds for item in items for bounds in item] == [(start, start + 2) for start in range(0, 50, 2)]


def test_processes_write_the_same_bytes(tmp_path: Path) -> None:
    followers = {f"author{size}": "abcdefgh"[:size] for size in range(1, 7)}
    tweets = follow(followers, tmp_path / "tweets.parquet")
    written = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        settings = tiny_settings(folder, engine={"threads": 1, "memory_limit": "2GB", "processes": processes})
        similar_authors([tweets], folder / "x.parquet", top_n=10, threshold=0.1, settings=settings)
        written.append([(folder / name).read_bytes() for name in ("x.parquet", EDGES, EDGE_AUTHORS)])
    assert written[0] == written[1]
