"""Similar authors: ties, thresholds, hubs, and ranges that change nothing."""

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engage_pipeline.engines.tasks import map_items
from engage_pipeline.interactions.graphs import similarity
from engage_pipeline.interactions.graphs.edges import EDGE_AUTHORS, EDGES
from engage_pipeline.interactions.graphs.followers import Followers, author_ids, read_follows, write_followers
from engage_pipeline.interactions.graphs.similarity import pairs_of, planned, similar_authors
from engage_pipeline_tests.interactions import reference
from engage_pipeline_tests.interactions.counters.test_counting import exposure
from engage_pipeline_tests.interactions.typed_parts import write_typed
from engage_pipeline_tests.samples import tiny_settings


def followers_of(sets: Sequence[set[int]]) -> Followers:
    """Authors with the followers `sets`, whose sizes rise; the order of their ids is that of their numbers."""
    lists, viewers = [sorted(one) for one in sets], range(1 + max(map(max, sets)))
    followed = [[author for author, one in enumerate(sets) if viewer in one] for viewer in viewers]
    sides = [
        array
        for side in (lists, followed)
        for array in (np.cumsum([0, *map(len, side)]), np.array([one for each in side for one in each], np.int32))
    ]
    return Followers(np.array([len(one) for one in sets]), np.arange(len(sets)), *sides)


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
    assert facts == {"authors": 3, "follows": 7, "edges": 2, "degrees": {"0": 1, "1": 2, "2": 0}}


@pytest.mark.parametrize(("top_n", "degrees"), [(2, {"0": 1, "1": 2}), (10**12, {"0": 1, "1": 2, "2": 0})])
def test_degrees_end_with_the_most_that_an_author_can_have(tmp_path: Path, top_n: int, degrees: dict[str, int]) -> None:
    _, facts = find(tmp_path, {"ana": "abc", "ben": "bcd", "cal": "z"}, top_n=top_n)
    assert facts["degrees"] == degrees


def test_work_is_shared_and_told_of_by_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six authors have followers a … f, of whom the author n has the first n; f follows one of them only."""
    told: list[list[int]] = []

    def spied(what: str, work: Any, items: Any, settings: Any, rows: Any = None) -> Any:
        told.extend([rows] if what == "author_similarity" else [])
        return map_items(what, work, items, settings, rows)

    monkeypatch.setattr(similarity, "map_items", spied)
    find(tmp_path, {f"author{size}": "abcdef"[:size] for size in range(1, 7)})
    assert told == [[1 + 2 + 3 + 4 + 5 + 5]]


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
    assert {name: array.tolist() for name, array in write_followers(tmp_path)._asdict().items()} == {
        "sizes": [1, 3], "place": [1, 0],
        "starts": [0, 1, 2], "viewers": [0, 0],
        "viewer_starts": [0, 2], "authors": [0, 1],
    }  # fmt: skip
    assert author_ids(tmp_path).to_pylist() == ["ben", "ana"]


@given(
    sets=st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=12),
    comparisons=st.integers(1, 60),
    top_n=st.integers(1, 5),
    threshold=st.sampled_from([0.05, 0.1, 1 / 3, 0.5, 1.0]),
)
@example(sets=[{0}, {0}, {0, 1}, {0}, {0, 1}, {1}], comparisons=60, top_n=4, threshold=0.05)
def test_ranges_and_sizes_change_nothing(sets: list[set[int]], comparisons: int, top_n: int, threshold: float) -> None:
    sets = sorted(sets, key=len)
    names = [f"{index:02}" for index in range(len(sets))]
    rows = [
        exposure(0, author, str(viewer), 0, engagee_follows_engager=True)
        for author, viewers in zip(names, sets, strict=True)
        for viewer in viewers
    ]
    followers = followers_of(sets)
    graph: reference.Graph = {}
    for start, stop in planned(followers, comparisons):
        for pairs in pairs_of(followers, start, stop, top_n, threshold):
            assert set(pairs.author) <= set(range(start, stop))
            for author, similar, jaccard in zip(pairs.author, pairs.similar, pairs.jaccard, strict=True):
                graph.setdefault(names[author], []).append((names[similar], jaccard))
    assert graph == reference.similar_authors(rows, top_n, threshold)


def test_many_authors_are_found_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    followers = followers_of([{0, number} for number in range(1, 8)])
    (whole,) = pairs_of(followers, 0, 7, 4, 0.1)
    monkeypatch.setattr(similarity, "PAIRS_AT_ONCE", 10)
    some = list(pairs_of(followers, 0, 7, 4, 0.1))
    assert [len(pairs.author) for pairs in some] == [9, 9, 3]
    assert [np.concatenate(columns).tolist() for columns in zip(*map(astuple, some), strict=True)] == [
        column.tolist() for column in astuple(whole)
    ]
    monkeypatch.setattr(similarity, "PAIRS_AT_ONCE", 1)
    assert len(list(pairs_of(followers, 0, 7, 4, 0.1))) == 7
    (everyone,) = pairs_of(followers, 6, 7, 10**12, 0.1)
    assert len(everyone.author) == 6


def test_a_range_is_cut_before_it_takes_long() -> None:
    followers = followers_of([set(range(50))] * 50)
    assert planned(followers, 5000) == [(start, start + 2) for start in range(0, 50, 2)]
    assert planned(followers, 1) == [(start, start + 1) for start in range(50)]


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
