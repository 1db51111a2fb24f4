"""Intercepts and couplings against a regression over single rows; what excludes what is found again."""

from pathlib import Path

import numpy as np
import pytest

from engage_pipeline.model.effects.coupling import COUPLING_DEVIATION, next_base, of_patterns
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.marginals import RAREST_FIRST
from engage_pipeline_tests.model.effects.fits import AUTHOR, PAIR, VIEWER, deviations_of, fit_of, records_of, swept

LIKE, RETWEET, QUOTE, REPLY = range(K)


def of_rows(labels: np.ndarray, one: int) -> tuple[np.ndarray, list[int]]:
    """The predictors of engagement `one` in rows with `labels` bool [n, 4], 1 and the earlier labels, and their places
    in the base."""
    earlier = list(RAREST_FIRST[: RAREST_FIRST.index(one)])
    return np.column_stack([np.ones(len(labels)), labels[:, earlier]]), [0, *(1 + y for y in earlier)]


def test_the_next_base_is_that_of_a_regression_over_rows() -> None:
    rng = np.random.default_rng(1)
    labels, step = rng.random((300, K)) < 0.4, rng.random((300, K)) * 0.25
    base, targets = rng.normal(size=(K, 1 + K)), rng.normal(size=(300, K))
    patterns = (labels << np.arange(K)).sum(axis=1)
    odds = of_patterns(base)[patterns]
    steps, pull = np.zeros((16, K)), np.zeros((16, K))
    np.add.at(steps, patterns, step)
    np.add.at(pull, patterns, targets - step * odds)
    found = next_base(steps, pull, base)
    for one in range(K):
        own, places = of_rows(labels, one)
        prior = np.diag([0.0, *[COUPLING_DEVIATION**-2] * (own.shape[1] - 1)])
        expected = np.linalg.solve((own * step[:, [one]]).T @ own + prior, own.T @ targets[:, one])
        assert found[one, places] == pytest.approx(expected, abs=1e-4)


def test_the_base_of_an_engagement_without_rows_stays() -> None:
    base = np.arange(20.0).reshape(K, 1 + K)
    assert np.array_equal(next_base(np.zeros((16, K)), np.zeros((16, K)), base), base)


def test_what_a_pattern_adds_is_the_intercept_and_the_earlier_engagements() -> None:
    base = np.arange(20.0).reshape(K, 1 + K)
    found = of_patterns(base)
    assert found[0].tolist() == [0, 5, 10, 15]
    assert found[1 << LIKE].tolist() == [0, 5, 10, 15], "nothing depends on a like"
    assert found[1 << QUOTE].tolist() == [0 + 3, 5 + 8, 10, 15 + 18]
    assert found[1 << QUOTE | 1 << RETWEET].tolist() == [0 + 3 + 2, 5 + 8, 10, 15 + 18]


def exclusive(seed: int, rows: int) -> np.ndarray:
    """Labels bool [n, 4] of which one at most is true in each row: none 0.4, like 0.35, retweet 0.15 …"""
    first = np.random.default_rng(seed).choice(1 + K, rows, p=[0.4, 0.35, 0.15, 0.04, 0.06])
    return first[:, np.newaxis] == 1 + np.arange(K)


def test_that_engagements_exclude_each_other_is_no_effect_of_keys_with_a_row_or_two(tmp_path: Path) -> None:
    """No viewer, author or pair differs from another here."""
    labels = exclusive(2, 6000)
    rows = np.arange(len(labels))
    records = records_of(labels, viewer=1 + rows // 10, author=1 + rows // 2 * 7919 % 500)
    fit = swept(fit_of(records, [AUTHOR, VIEWER, PAIR], tmp_path), 60, learn=True)
    assert (deviations_of(fit)[:, LIKE] < 0.5).all(), "0.8 to 0.9 for pairs if labels were independent"
    assert (fit.coupling[LIKE, [RETWEET, REPLY, QUOTE]] < -2.5).all()
    assert not fit.coupling[QUOTE].any()


def test_couplings_are_found_again(tmp_path: Path) -> None:
    """Retweets are likelier after a reply, likes less likely after a retweet."""
    rng = np.random.default_rng(3)
    reply = rng.random(20_000) < 0.2
    retweet = rng.random(20_000) < 1 / (1 + np.exp(1.5 - 1.0 * reply))
    like = rng.random(20_000) < 1 / (1 + np.exp(0.5 + 2.0 * retweet))
    labels = np.column_stack([like, retweet, np.zeros(20_000, bool), reply])
    fit = swept(fit_of(records_of(labels, viewer=1 + np.arange(20_000) // 20), [VIEWER], tmp_path), 60, learn=True)
    assert fit.intercepts[[LIKE, RETWEET]] == pytest.approx([-0.5, -1.5], abs=0.1)
    assert fit.coupling[RETWEET, REPLY] == pytest.approx(1.0, abs=0.15)
    assert fit.coupling[LIKE, RETWEET] == pytest.approx(-2.0, abs=0.15)
    assert fit.coupling[LIKE, REPLY] == pytest.approx(0.0, abs=0.15)
