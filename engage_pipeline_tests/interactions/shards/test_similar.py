"""Engagements with similar authors, against plain loops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.interactions.graphs.edges import Edges
from engage_pipeline.interactions.shards.leaving_out import Shard
from engage_pipeline.interactions.shards.similar import similar_engagements
from engage_pipeline_tests.interactions.shards.shard_rows import VIEWERS, Shown, side_rows

PAIR = next(key for key in VIEWERS.nested if key.name == "pair")
GRAPH = {2: {3: 500, 5: 7, 9: 1}, 3: {2: 500}, 5: {2: 7, 3: 30}, 8: {2: 1}}
"""Scores by author and similar author; nobody engages with 9, and 4 has no similar author."""
EDGES = Edges(
    np.array(list(GRAPH), np.uint64),
    np.cumsum([0, *(len(edges) for edges in GRAPH.values())])[:-1],
    np.array([len(edges) for edges in GRAPH.values()]),
    np.array([other for edges in GRAPH.values() for other in edges], np.uint64),
    np.array([score for edges in GRAPH.values() for score in edges.values()]),
    np.array([sum(edges.values()) for edges in GRAPH.values()]),
)
SHOWN = st.builds(
    Shown,
    viewer=st.integers(1, 3),
    fold=st.integers(0, 2),
    labels=st.integers(0, 16),
    author=st.sampled_from([0, 2, 3, 4, 5, 8]),
)


def plain(rows: list[Shown]) -> list[list[int]]:
    """For each row its four sums of score x engagements of the viewer with the similar author on other days."""
    return [
        [
            sum(
                GRAPH.get(row.author, {}).get(other.author, 0)
                for other in rows
                if other.viewer == row.viewer and other.fold != row.fold and other.labels < 16 and other.labels >> e & 1
            )
            for e in range(4)
        ]
        for row in rows
    ]


@settings(deadline=None, max_examples=150)
@given(st.lists(SHOWN, min_size=1, max_size=40))
def test_every_sum_is_that_of_loops(rows: list[Shown]) -> None:
    shard = Shard.of(side_rows(rows))
    scored = similar_engagements(shard, shard.pairs(PAIR), EDGES)
    found = np.zeros((len(rows), 4), np.int64)
    found[shard.rows.places[scored.rows]] = scored.values.T
    assert found.tolist() == plain(rows)
    assert scored.rows.tolist() == sorted({*scored.rows.tolist()})
    assert scored.values.any(axis=0).all()


def test_authors_without_edges_find_none() -> None:
    assert EDGES.find(np.array([2, 4, 8, 9, 0], np.uint64)).tolist() == [0, -1, 3, -1, -1]
