"""Gaps and their standard errors: by hand, and against what drawing the rows again does to them."""

import math

import numpy as np
import pytest

from engage_pipeline import metrics
from engage_pipeline.model.evaluation.fairness import Gap, calibration_gaps, group_gaps, rce_with_error

EDGES = (240, 588, 1331, 3996)


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels that follow the probabilities."""
    rng = np.random.default_rng(seed)
    probabilities = rng.beta(1, 3, rows)
    return rng.random(rows) < probabilities, probabilities


def test_a_gap_by_hand() -> None:
    gap = Gap(rows=400, predicted=0.2, observed=0.3, error=0.02)
    assert gap.beyond_chance == pytest.approx(0.1 - 3 * 0.02)
    assert gap.ratio == pytest.approx(2 / 3)
    assert Gap(10, 0.2, 0.0, 0.1).ratio is None


def test_a_tenth_of_equal_probabilities_by_hand() -> None:
    labels = np.arange(100) < 30
    (gap,) = calibration_gaps(labels, np.full(100, 0.2))
    assert (gap.rows, gap.predicted, gap.observed) == (100, pytest.approx(0.2), 0.3)
    assert gap.error == pytest.approx(math.sqrt(0.2 * 0.8 / 100))


def test_a_calibrated_model_has_gaps_within_chance() -> None:
    beyond = [max(gap.beyond_chance for gap in calibration_gaps(*drawn(5000, seed))) for seed in range(40)]
    assert sum(value > 0 for value in beyond) <= 3


def test_distorted_probabilities_have_gaps_beyond_chance() -> None:
    labels, probabilities = drawn(20_000, 1)
    gaps = calibration_gaps(labels, np.sqrt(probabilities))
    assert len(gaps) == 10
    assert max(gap.beyond_chance for gap in gaps) > 0.1


def test_rce_is_the_challenge_s_and_its_error_that_of_rows_drawn_again() -> None:
    labels, probabilities = drawn(2000, 3)
    probabilities = np.clip(probabilities + 0.25 * (labels - 0.5), 0.01, 0.99)
    rce, error = rce_with_error(labels, probabilities)
    assert rce == pytest.approx(metrics.relative_cross_entropy(labels, probabilities))
    rng = np.random.default_rng(4)
    again = []
    for _ in range(400):
        rows = rng.integers(0, len(labels), len(labels))
        again.append(metrics.relative_cross_entropy(labels[rows], probabilities[rows]))
    assert error == pytest.approx(np.std(again), rel=0.15)


def test_the_error_of_drawn_viewers_by_hand() -> None:
    """Two viewers with rows 0, 1 and 2, 3: the losses that the ratio leaves over are added up by viewer."""
    labels, probabilities = np.array([True, False, False, True]), np.array([0.5, 0.25, 0.5, 0.75])
    loss = [-math.log(p) for p in (0.5, 0.75, 0.5, 0.75)]
    ratio = sum(loss) / (4 * math.log(2))
    left = [one - ratio * math.log(2) for one in loss]
    expected = math.hypot(left[0] + left[1], left[2] + left[3]) / (4 * math.log(2))
    rce, error = rce_with_error(labels, probabilities, np.array([3, 3, 7, 7]))
    assert (rce, error) == (pytest.approx(100 * (1 - ratio)), pytest.approx(100 * expected, abs=1e-12))
    assert rce_with_error(labels, probabilities, np.arange(4)) == pytest.approx(rce_with_error(labels, probabilities))


def test_one_class_has_no_rce() -> None:
    for label in (True, False):
        assert rce_with_error(np.full(5, label), np.full(5, 0.3)) == (None, 0.0)


def test_groups_are_the_metric_s() -> None:
    labels, probabilities = drawn(3000, 5)
    followers = np.random.default_rng(6).choice([0, 239, 240, 588, 3995, 3996, 10**6], len(labels))
    tiled = (np.tile(values[:, None], 4) for values in (labels, probabilities))
    scores = metrics.score(*tiled, followers, edges=EDGES).engagements["like"]
    found = {group.name: group for group in group_gaps(labels, probabilities, followers, EDGES)}
    for name, score in zip(metrics.group_names(EDGES), scores.groups, strict=True):
        if score.rows:
            assert found[name].rates.rows == score.rows
            assert found[name].rce == pytest.approx(score.rce)
        else:
            assert name not in found
    chosen = followers < 240
    group = found["<240"].rates
    assert (group.predicted, group.observed) == (probabilities[chosen].mean(), labels[chosen].mean())
    variance = sum(p * (1 - p) for p in probabilities[chosen])
    assert group.error == pytest.approx(math.sqrt(variance) / chosen.sum())
