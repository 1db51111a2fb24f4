"""Formulas and edges of the interactions stage, each by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline.interactions.drift.stability import chance
from engage_pipeline.interactions.graphs.communities import NO_COMMUNITY, Communities
from engage_pipeline.interactions.graphs.similarity import similar_authors
from engage_pipeline_tests.samples import tiny_settings


def test_what_chance_explains_by_hand() -> None:
    """(1/100 + 1/400) x (mean 2 + three deviations of sqrt(2 x 2)) = 0.0125 x 8, three bins having two freedoms."""
    counts, others = np.array([[50.0, 30, 20, 0]]), np.array([[200.0, 100, 100, 0]])
    assert chance(counts, others, np.array([0])).tolist() == [[pytest.approx(0.1)]]
    assert chance(counts[:, :1], others[:, :1], np.array([0])).tolist() == [[0.0]], "one bin says nothing"


def test_users_between_and_beyond_the_known_ones_have_no_community() -> None:
    known = Communities(np.array([10, 20, 30]), np.array([1, 2, 3], np.int32), np.array([4, 5, 6], np.int32))
    users = np.array([-5, 9, 10, 15, 20, 30, 31, 2**62])
    wanted = [NO_COMMUNITY, NO_COMMUNITY, 1, NO_COMMUNITY, 2, 3, NO_COMMUNITY, NO_COMMUNITY]
    assert known.of_authors(users).tolist() == wanted
    assert known.of_viewers(users).tolist() == [one if one == NO_COMMUNITY else one + 3 for one in wanted]


def test_authors_that_are_equally_similar_come_by_id_whatever_their_size(tmp_path: Path) -> None:
    """To `m` with four followers both are similar by one half: `z` shares 2 of 4, `b` 4 of 8."""
    followers = {"m": range(4), "z": range(2), "b": range(8)}
    pairs = [(author, f"u{number}") for author, numbers in followers.items() for number in numbers]
    columns = {
        "engaged_with_user_id": [author for author, _ in pairs],
        "engaging_user_id": [viewer for _, viewer in pairs],
        "engagee_follows_engager": [True] * len(pairs),
    }
    pq.write_table(pa.table(columns), tmp_path / "tweets.parquet")
    output = tmp_path / "similar.parquet"
    similar_authors([tmp_path / "tweets.parquet"], output, top_n=10, threshold=0.5, settings=tiny_settings(tmp_path))
    rows = [row for row in pq.read_table(output).to_pylist() if row["author"] == "m"]
    assert [(row["similar"], row["jaccard"], row["rank"]) for row in rows] == [("b", 0.5, 0), ("z", 0.5, 1)]
