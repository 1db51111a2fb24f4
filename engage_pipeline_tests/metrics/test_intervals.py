"""Bootstrap intervals against repeated rows, the normal approximation, and what resampling of viewers is for."""

import json

import numpy as np
import pyarrow as pa
import pytest

from engage_pipeline import metrics, schema
from engage_pipeline.metrics import intervals
from engage_pipeline.metrics.intervals import DRAWS, ap_draws, drawn_viewers, interval, mean_draws, rce_draws

EDGES = (240, 588)
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows(count: int, viewers: int, seed: int = 0) -> Rows:
    """Labels [n, 4], probabilities [n, 4] with ties, and viewers [n], all of whom occur."""
    rng = np.random.default_rng(seed)
    probabilities = np.round(rng.beta(2, 4, (count, 4)), 2).clip(0.01, 0.99)
    labels = rng.random((count, 4)) < probabilities
    return labels, probabilities, rng.permutation(np.arange(count) % viewers)


def test_a_draw_is_the_score_of_its_rows_written_out() -> None:
    labels, probabilities, viewers = rows(60, 25)
    rce, ap = rce_draws(labels, probabilities, viewers), ap_draws(labels, probabilities, viewers)
    assert rce.shape == ap.shape == (DRAWS, 4)
    for draw, weights in enumerate(drawn_viewers(25)):
        assert weights.sum() == 25
        written = [row for row, viewer in enumerate(viewers) for _ in range(int(weights[viewer]))]
        for place in range(4):
            own, values = labels[written, place], probabilities[written, place]
            if 0 < own.sum() < len(own):
                assert rce[draw, place] == pytest.approx(metrics.relative_cross_entropy(own, values))
                assert ap[draw, place] == pytest.approx(metrics.average_precision(own, values))
            else:
                assert np.isnan(rce[draw, place])
                assert np.isnan(ap[draw, place])


def test_large_tables_take_fewer_draws_for_ap(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, probabilities, viewers = rows(60, 25)
    all_draws = ap_draws(labels, probabilities, viewers)
    for most, expected in ((60 * 40 + 1, 40), (1, 25), (60 * 1000, DRAWS)):
        monkeypatch.setattr(intervals, "ROWS_OF_DRAWS", most)
        found = ap_draws(labels, probabilities, viewers)
        assert np.array_equal(found, all_draws[:expected], equal_nan=True)


def test_draws_spread_as_the_normal_approximation_says() -> None:
    """RCE = 100 (1 - A / B), A the mean loss and B the entropy of the mean label: its spread by linearisation."""
    labels, probabilities, viewers = rows(4000, 4000, seed=1)
    own, values = labels[:, 0], probabilities[:, 0]
    loss = -np.log(np.where(own, values, 1 - values))
    rate = own.mean()
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    influence = loss - loss.mean() / entropy * (entropy + np.log((1 - rate) / rate) * (own - rate))
    expected = 100 * influence.std() / entropy / np.sqrt(len(own))
    assert rce_draws(labels, probabilities, viewers)[:, 0].std() == pytest.approx(expected, rel=0.2)


def test_rows_of_a_viewer_are_drawn_together() -> None:
    """The same row twice for each viewer tells nothing new, and the interval says so."""
    labels, probabilities, viewers = rows(300, 300)
    twice = np.vstack([labels, labels]), np.vstack([probabilities, probabilities])
    once = rce_draws(labels, probabilities, viewers)
    assert np.allclose(rce_draws(*twice, np.concatenate([viewers, viewers])), once)
    strangers = rce_draws(*twice, np.concatenate([viewers, viewers + 300]))
    assert (strangers.std(axis=0) < 0.85 * once.std(axis=0)).all()


def test_rows_without_an_id_are_viewers_of_their_own() -> None:
    ids = pa.chunked_array([["b", None, "a"], [None, "b", None]], pa.string())
    assert metrics.viewer_numbers(ids).tolist() == [0, 2, 1, 3, 0, 4]
    assert metrics.viewer_numbers(ids.slice(1, 3).combine_chunks()).tolist() == [1, 0, 2]
    assert metrics.viewer_numbers(pa.nulls(3, pa.string())).tolist() == [0, 1, 2]
    assert metrics.viewer_numbers(pa.array([], pa.string())).tolist() == []


def test_rows_without_ids_have_the_interval_of_strangers() -> None:
    labels, probabilities, _ = rows(300, 300)
    found = rce_draws(labels, probabilities, metrics.viewer_numbers(pa.nulls(300, pa.string())))
    assert np.array_equal(found, rce_draws(labels, probabilities, np.arange(300)))
    assert (found.std(axis=0) > 1).all()


def test_one_viewer_alone_gives_no_interval() -> None:
    """Each draw would be all of the viewer's rows: an interval without width, which says the opposite of the truth."""
    labels, probabilities, viewers = rows(60, 1)
    for draws in (rce_draws, ap_draws):
        assert interval(draws(labels, probabilities, viewers)[:, 0]) is None
        assert interval(draws(labels, probabilities, rows(60, 2)[2])[:, 0]) is not None


def test_two_models_are_drawn_in_pairs() -> None:
    labels, probabilities, viewers = rows(300, 100)
    worse = probabilities * 0.9
    one, other = (rce_draws(labels, values, viewers) for values in (probabilities, worse))
    assert np.array_equal(one, rce_draws(labels, probabilities, viewers))
    assert ((one - other).std(axis=0) < 0.5 * one.std(axis=0)).all()


def test_the_interval_is_the_middle_of_the_draws() -> None:
    assert interval(np.arange(201.0)) == pytest.approx((5.0, 195.0))
    assert interval(np.array([np.nan, 1.0, np.nan])) == (1.0, 1.0)
    assert interval(np.full(9, np.nan)) is None
    draws = np.array([[1.0, np.nan, 3.0], [5.0, np.nan, np.nan]])
    assert np.array_equal(mean_draws(draws), [2.0, np.nan], equal_nan=True)
    assert np.isnan(mean_draws(np.full((4, 4), np.nan))).all()


def test_scores_carry_them_through_json_and_into_tables() -> None:
    labels, probabilities, viewers = rows(400, 150)
    labels[:, 3] = False
    plain = metrics.score(labels, probabilities, np.arange(400), edges=EDGES)
    scores = metrics.with_intervals(plain, labels, probabilities, viewers)
    like = scores.engagements["like"].overall
    assert like.rce_interval == interval(rce_draws(labels, probabilities, viewers)[:, 0])
    assert like.ap_interval == interval(ap_draws(labels, probabilities, viewers)[:, 0])
    assert like.ap_interval[0] < like.ap < like.ap_interval[1]
    mean = scores.overall_mean
    assert mean.rce_interval[0] < mean.rce < mean.rce_interval[1]
    last = scores.engagements[schema.TARGETS[3]].overall
    assert (last.ap_interval, last.rce_interval) == (None, None)
    assert metrics.Scores.from_json(json.loads(json.dumps(scores.to_json()))) == scores
    assert metrics.Scores.from_json(json.loads(json.dumps(plain.to_json()))) == plain

    text = metrics.format_table({"model": scores}).splitlines()
    place = next(i for i, line in enumerate(text) if line.startswith("RCE")) + 1
    assert text[place].split() == ["like", "all", "rows", f"{like.rce:.2f}"]
    half = (like.rce_interval[1] - like.rce_interval[0]) / 2
    assert text[place + 1].split() == ["±", "95", "%", f"{half:.2f}"]
    assert "±" not in metrics.format_table({"model": plain})
    low, high = mean.rce_interval
    assert f"| RCE | mean | 95 % interval | {low:.2f} to {high:.2f} |" in metrics.format_markdown({"model": scores})


def test_the_interval_of_a_share_is_that_of_the_ratio_in_each_draw() -> None:
    labels, true, viewers = rows(600, 150, seed=6)
    probabilities = 0.5 * true + 0.5 * true.mean(axis=0)
    followers = np.zeros(len(labels), int)
    scores, oracle = (metrics.score(labels, one, followers, edges=EDGES) for one in (probabilities, true))
    share = metrics.with_share_intervals(metrics.share_of_oracle(scores, oracle), labels, probabilities, true, viewers)
    ratios = 100 * rce_draws(labels, probabilities, viewers) / rce_draws(labels, true, viewers)
    for place, one in enumerate(share.engagements.values()):
        assert one.overall_interval == pytest.approx(np.quantile(ratios[:, place], [0.025, 0.975]))
    assert share.overall_interval == pytest.approx(np.quantile(ratios.mean(axis=1), [0.025, 0.975]))
    assert metrics.OracleShare.from_json(json.loads(json.dumps(share.to_json()))) == share


def test_draws_in_which_the_oracle_knows_nothing_have_no_share() -> None:
    labels, true, viewers = rows(200, 50, seed=7)
    ignorant = np.full(true.shape, 0.999)
    share = metrics.share_of_oracle(*(metrics.score(labels, one, viewers, edges=EDGES) for one in (true, ignorant)))
    found = metrics.with_share_intervals(share, labels, true, ignorant, viewers)
    assert found.overall_interval is None
    assert [one.overall_interval for one in found.engagements.values()] == [None] * 4
