"""Scores against slow references and hand arithmetic, and the tables they are printed in."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError

EDGES = (240, 588, 1331, 3996)


def slow_average_precision(labels: list[bool], probabilities: list[float]) -> float:
    """For each distinct threshold from the highest: recall gained there times the precision at it."""
    total, area, recall_before = sum(labels), 0.0, 0.0
    for threshold in sorted(set(probabilities), reverse=True):
        chosen = [label for label, p in zip(labels, probabilities, strict=True) if p >= threshold]
        recall = sum(chosen) / total
        area += (recall - recall_before) * sum(chosen) / len(chosen)
        recall_before = recall
    return area


def slow_cross_entropy(labels: list[bool], probabilities: list[float]) -> float:
    return -math.fsum(
        math.log(p) if label else math.log(1 - p) for label, p in zip(labels, probabilities, strict=True)
    ) / len(labels)


def four(column: list[float]) -> np.ndarray:
    """The same column for each of the four engagements."""
    return np.repeat(np.asarray(column)[:, None], len(schema.TARGETS), axis=1)


def score(labels: list[bool], probabilities: list[float], followers: list[int]) -> metrics.Scores:
    return metrics.score(
        four(labels).astype(bool), four(probabilities), np.asarray(followers, dtype=np.int64), edges=EDGES
    )


@st.composite
def scored_rows(draw: st.DrawFn) -> tuple[list[bool], list[float], list[int]]:
    """Rows with many ties (probabilities from a coarse grid) and follower counts on and beside the edges."""
    size = draw(st.integers(2, 40))
    labels = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    grid = st.integers(1, 9).map(lambda tenth: tenth / 10)
    probabilities = draw(st.lists(grid, min_size=size, max_size=size))
    around = st.sampled_from([0, *(edge + step for edge in EDGES for step in (-1, 0, 1)), 10**9])
    return labels, probabilities, draw(st.lists(around, min_size=size, max_size=size))


def slow_group(followers: int) -> int:
    return sum(followers >= edge for edge in EDGES)


@settings(deadline=None)  # the first example imports scikit-learn
@given(scored_rows())
def test_scores_equal_a_slow_reference(rows: tuple[list[bool], list[float], list[int]]) -> None:
    labels, probabilities, followers = rows
    scores = score(labels, probabilities, followers)
    for one in scores.engagements.values():
        cases = [(one.overall, list(range(len(labels))))]
        cases += [
            (group, [row for row, count in enumerate(followers) if slow_group(count) == i])
            for i, group in enumerate(one.groups)
        ]
        for found, members in cases:
            own = [labels[row] for row in members]
            assert (found.rows, found.positives) == (len(own), sum(own))
            if len(set(own)) < 2:
                assert found.ap is None
                assert found.rce is None
                assert found.reason
                continue
            given_to = [probabilities[row] for row in members]
            naive = slow_cross_entropy(own, [sum(own) / len(own)] * len(own))
            assert found.ap == pytest.approx(slow_average_precision(own, given_to), abs=1e-12)
            assert found.rce == pytest.approx(100 * (1 - slow_cross_entropy(own, given_to) / naive), abs=1e-9)
        kept = [group.rce for group in one.groups if group.rce is not None]
        expected = math.fsum(kept) / len(kept) if kept else None
        assert one.group_mean.rce == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_rce_by_hand() -> None:
    """Naive rate 1/2: CE = ln 2. Model: -(2 ln 0.8 + 2 ln 0.75) / 4 = -ln(0.6) / 2 = 0.2554128, of ln 2 36.8483 %."""
    scores = score([True, True, False, False], [0.8, 0.75, 0.2, 0.25], [0, 0, 0, 0])
    assert scores.engagements["like"].overall.rce == pytest.approx(63.1517, abs=1e-4)
    assert scores.engagements["like"].overall.ap == 1.0


def test_extreme_probabilities_are_clipped() -> None:
    """One certain and wrong row of two costs -ln(1e-15) / 2 = 17.2694 nats; naive ln 2: 100 (1 - 24.9144)."""
    scores = score([True, False], [1.0, 1.0], [0, 0])
    assert scores.engagements["reply"].overall.rce == pytest.approx(-2391.4, abs=0.3)
    assert score([True, False], [1.0, 0.0], [0, 0]).overall_mean.rce == pytest.approx(100.0)


def test_single_precision_probabilities_do_not_become_infinite() -> None:
    labels = four([True, False]).astype(bool)
    certain = four([1.0, 1.0]).astype(np.float32)
    scores = metrics.score(labels, certain, np.zeros(2, dtype=np.int64), edges=EDGES)
    assert scores.overall_mean.rce == pytest.approx(-2391.4, abs=0.3)


def test_an_edge_belongs_to_the_upper_group() -> None:
    followers = np.array([0, 239, 240, 587, 588, 1330, 1331, 3995, 3996, 10**12], dtype=np.int64)
    assert metrics.follower_groups(followers, EDGES).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert metrics.group_names(EDGES) == ["<240", "240-587", "588-1330", "1331-3995", "3996+"]
    assert metrics.group_names(()) == ["all authors"]


def test_a_group_of_one_class_has_no_score_and_is_left_out_of_the_mean() -> None:
    labels = [True, False, True, True, False, False]
    followers = [0, 0, 240, 240, 588, 588]
    one = score(labels, [0.9, 0.2, 0.5, 0.5, 0.5, 0.5], followers).engagements["like"]
    assert [group.reason for group in one.groups] == [
        None,
        "no negative among 2 rows",
        "no positive among 2 rows",
        "no rows",
        "no rows",
    ]
    assert one.group_mean == metrics.Average(one.groups[0].ap, one.groups[0].rce)


def test_means_are_null_where_nothing_is_left() -> None:
    scores = score([False, False], [0.1, 0.2], [0, 500])
    assert scores.engagements["like"].overall.reason == "no positive among 2 rows"
    assert scores.engagements["like"].group_mean == metrics.Average(None, None)
    assert scores.overall_mean == scores.group_mean == metrics.Average(None, None)
    assert scores.nulls() == ["all rows and every group: no positive among 2 rows"]
    assert score([], [], []).engagements["like"].overall.reason == "no rows"


def test_columns_are_scored_in_the_order_of_the_targets() -> None:
    rng = np.random.default_rng(5)
    labels = rng.random((200, 4)) < np.array([0.5, 0.4, 0.3, 0.2])
    probabilities = rng.random((200, 4))
    scores = metrics.score(labels, probabilities, np.zeros(200, dtype=np.int64), edges=EDGES)
    assert tuple(scores.engagements) == schema.TARGETS
    for i, one in enumerate(scores.engagements.values()):
        assert one.overall.positives == labels[:, i].sum()
        assert one.overall.ap == pytest.approx(
            slow_average_precision(labels[:, i].tolist(), probabilities[:, i].tolist())
        )
    assert scores.overall_mean.ap == pytest.approx(np.mean([one.overall.ap for one in scores.engagements.values()]))


def oracle_world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    true = rng.beta(0.8, 2, size=(4000, 4))
    return rng.random((4000, 4)) < true, true, rng.integers(0, 6000, 4000)


def test_the_oracle_has_all_of_its_share_and_the_constant_none() -> None:
    labels, true, followers = oracle_world()
    oracle = metrics.score(labels, true, followers, edges=EDGES)
    constant = metrics.score(labels, np.tile(labels.mean(axis=0), (4000, 1)), followers, edges=EDGES)
    own = metrics.share_of_oracle(oracle, oracle)
    none = metrics.share_of_oracle(constant, oracle)
    assert own.overall_mean == own.group_mean == 100.0
    assert none.overall_mean == 0.0
    assert all(share.overall == 0.0 for share in none.engagements.values())
    halfway = metrics.score(labels, (true + labels.mean(axis=0)) / 2, followers, edges=EDGES)
    share = metrics.share_of_oracle(halfway, oracle)
    for name, one in share.engagements.items():
        rce = halfway.engagements[name].overall.rce, oracle.engagements[name].overall.rce
        assert one.overall == pytest.approx(100 * rce[0] / rce[1])
        assert 0 < one.overall < 100
        assert len(one.groups) == 5
    json.dumps(share.to_json())


def test_a_share_is_null_where_the_oracle_explains_nothing() -> None:
    flat = score([True, False], [0.5, 0.5], [0, 0])
    share = metrics.share_of_oracle(score([True, False], [0.9, 0.1], [0, 0]), flat)
    assert share.engagements["like"].overall is None
    assert share.overall_mean is None
    assert " -" in metrics.format_shares(share)


def test_scores_survive_json() -> None:
    labels, true, followers = oracle_world()
    scores = metrics.score(labels, true, followers, edges=EDGES)
    text = json.dumps(scores.to_json(), allow_nan=False)
    assert metrics.Scores.from_json(json.loads(text)) == scores


@pytest.mark.parametrize(
    ("row", "value", "said"),
    [(3, math.nan, "row 3, retweet: nan"), (0, 1.5, "row 0, retweet: 1.5"), (7, -1e-9, "row 7, retweet: -1e-09")],
)
def test_a_wrong_probability_is_named(row: int, value: float, said: str) -> None:
    probabilities = np.full((9, 4), 0.5)
    probabilities[row, 1] = probabilities[8, 0] = value
    with pytest.raises(UserError, match=f"^network: {said} is not a probability"):
        metrics.score(
            np.zeros((9, 4), dtype=bool), probabilities, np.zeros(9, dtype=np.int64), edges=EDGES, source="network"
        )


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    labels, counts = np.zeros((9, 4), dtype=bool), np.zeros(9, dtype=np.int64)
    with pytest.raises(UserError, match=r"8 rows for 9 labelled rows"):
        metrics.score(labels, np.zeros((8, 4)), counts, edges=EDGES)
    with pytest.raises(UserError, match="follower counts: 7 rows"):
        metrics.score(labels, np.zeros((9, 4)), counts[:7], edges=EDGES)
    with pytest.raises(UserError, match="rows of 4 values"):
        metrics.score(labels, np.zeros((9, 3)), counts, edges=EDGES)


def two_models() -> dict[str, metrics.Scores]:
    labels = [True, False, True, False, True]
    followers = [0, 0, 300, 300, 600]
    return {
        "network": score(labels, [0.8, 0.3, 0.6, 0.4, 0.7], followers),
        "constant": score(labels, [0.6] * 5, followers),
    }


def test_the_table_looks_like_this() -> None:
    """CE(network) = -ln(0.8 x 0.7 x 0.6 x 0.7 x 0.6) / 5 = 0.391630; naive at 3/5: 0.673012; 100 (1 - 0.581906)."""
    lines = metrics.format_table(two_models()).splitlines()
    assert lines[:3] == [
        "AP                              network  constant",
        "like                  all rows   1.0000    0.6000",
        "                      by group   1.0000    0.5000",
    ]
    assert lines[9:13] == [
        "mean                  all rows   1.0000    0.6000",
        "                      by group   1.0000    0.5000",
        "",
        "RCE                             network  constant",
    ]
    assert lines[13:15] == [
        "like                  all rows    41.81      0.00",
        "                      by group    42.24     -2.94",
    ]
    assert lines[23:] == [
        "",
        "No score, left out of the means:",
        "- 588-1330: no negative among 1 row",
        "- 1331-3995: no rows",
        "- 3996+: no rows",
        "",
        "Decided by chance:",
        "- like: 2 negatives among 5 rows",
        "- retweet: 2 negatives among 5 rows",
        "- retweet_with_comment: 2 negatives among 5 rows",
        "- reply: 2 negatives among 5 rows",
    ]


def test_scores_of_chance_are_named_with_what_leaves_them_out() -> None:
    labels = np.arange(30)[:, np.newaxis] < np.array([2, 15, 15, 15])
    scores = metrics.score(labels, np.full((30, 4), 0.5), np.zeros(30, np.int64), edges=[])
    assert metrics.format_table({"a": scores}).splitlines()[-3:] == [
        "",
        "Decided by chance, counted in the means, left out of decisions to promote:",
        "- like: 2 positives among 30 rows",
    ]


@pytest.mark.parametrize(
    ("positives", "words"),
    [(0, None), (1, "1 positive"), (9, "9 positives"), (10, None), (20, None), (21, "9 negatives"), (30, None)],
)
def test_fewer_than_ten_of_a_class_say_nothing(positives: int, words: str | None) -> None:
    """Those without any have no score, which is said elsewhere."""
    labels = np.arange(30)[:, np.newaxis] < np.array([positives, 15, 15, 15])
    scores = metrics.score(labels, np.full((30, 4), 0.5), np.zeros(30, np.int64), edges=[])
    assert metrics.few_of_a_class(scores) == ({"like": f"{words} among 30 rows"} if words else {})


def test_engagements_without_a_score_for_the_same_reason_share_a_line() -> None:
    labels = np.array([[1, 0, 0, 1], [0, 0, 1, 1], [1, 0, 0, 0]], dtype=bool)
    scores = metrics.score(labels, np.full((3, 4), 0.5), np.array([0, 0, 240]), edges=[240, 588])
    assert scores.nulls() == [
        "all rows and every group: no positive among 3 rows (retweet)",
        "<240: no negative among 2 rows (reply)",
        "240-587: no negative among 1 row (like)",
        "240-587: no positive among 1 row (retweet_with_comment, reply)",
        "588+: no rows",
    ]


def test_five_models_fit_on_a_terminal_of_80_columns() -> None:
    names = ("pretrained", "network", "trees", "blend", "constant")
    table = metrics.format_table(dict.fromkeys(names, two_models()["constant"]))
    assert max(map(len, table.splitlines())) <= 80


def test_the_markdown_table_marks_the_best() -> None:
    lines = metrics.format_markdown({"a|b": two_models()["constant"], **two_models()}).splitlines()
    assert lines[0] == "| metric | engagement | rows | a\\|b | network | constant |"
    assert lines[1] == "|---|---|---|---:|---:|---:|"
    assert lines[2] == "| AP | like | all rows | 0.6000 | **1.0000** | 0.6000 |"
    assert lines[12] == "| RCE | like | all rows | 0.00 | **41.81** | 0.00 |"


def test_a_share_table_has_a_line_an_engagement() -> None:
    labels, true, followers = oracle_world()
    oracle = metrics.score(labels, true, followers, edges=EDGES)
    share = metrics.share_of_oracle(oracle, oracle)
    lines = metrics.format_shares(replace(share, overall_interval=(97.26, 102.5))).splitlines()
    assert lines == [
        "% of the oracle RCE    all rows   95 % interval  by group",
        *(f"{name:<20}      100.0               -     100.0" for name in schema.TARGETS),
        "mean                      100.0   97.3 to 102.5     100.0",
    ]
