"""The margins of 10 000 real rows of the week of 2021-02-25 come out: no population stability index reaches 0.1."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from engage_pipeline_tests.synthetic.reading import EVALUATION_END, TRAINING_END, Made, Row

LEVELS = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
QUANTILES = {
    "engaged_with_user_follower_count": [55, 192, 392, 1600, 13196, 184094, 1254023, 4214072, 17604835],
    "engaged_with_user_following_count": [1, 17, 64, 226, 656, 1774, 5094, 10458, 66794],
    "engaged_with_user_account_age_days": [97, 210, 326, 791, 2127, 3646, 4310, 4453, 4910],
    "engaging_user_follower_count": [1, 7, 16, 59, 204, 615, 1679, 3061, 10407],
    "engaging_user_following_count": [21, 49, 78, 168, 394, 891, 2076, 3398, 5966],
    "engaging_user_account_age_days": [84, 137, 213, 428, 1204, 2679, 3716, 4107, 4440],
    "text_tokens": [5, 11, 17, 26, 41, 60, 89, 105, 135],
}
"""Values at LEVELS."""
SHARES: dict[str, tuple[Callable[[Row], object], dict[object, float]]] = {
    "type": (lambda row: row["tweet_type"], {"TopLevel": 0.6008, "Retweet": 0.3184, "Quote": 0.0808}),
    "hashtags": (
        lambda row: min(len(row["hashtags"]), 5),
        {0: 0.7852, 1: 0.1177, 2: 0.0473, 3: 0.0238, 4: 0.0118, 5: 0.0142},
    ),
    "media": (
        lambda row: (len(row["present_media"]), *row["present_media"][:1]),
        {
            (0,): 0.6233,
            (1, "Photo"): 0.2006,
            (1, "Video"): 0.0667,
            (2, "Photo"): 0.0541,
            (4, "Photo"): 0.0263,
            (3, "Photo"): 0.0146,
            (1, "GIF"): 0.0143,
        },
    ),
    "link": (lambda row: bool(row["present_links"]), {False: 0.8769, True: 0.1231}),
    "domain": (lambda row: bool(row["present_domains"]), {False: 0.8769, True: 0.1231}),
    "author verified": (lambda row: row["engaged_with_user_is_verified"], {False: 0.7694, True: 0.2306}),
    "viewer verified": (lambda row: row["engaging_user_is_verified"], {False: 0.998, True: 0.002}),
    "follows": (lambda row: row["engagee_follows_engager"], {False: 0.6473, True: 0.3527}),
    "part of the day": (
        lambda row: row["tweet_timestamp"] // 10_800 % 8,
        {0: 0.1226, 1: 0.1138, 2: 0.0933, 3: 0.1192, 4: 0.1388, 5: 0.16, 6: 0.1327, 7: 0.1168},
    ),
}
LANGUAGES = [0.3817, 0.1676, 0.0835, 0.0803, 0.0632, 0.035, 0.0345, 0.0222, 0.0211]
"""Shares of the commonest."""


def stability(counts: np.ndarray, wanted: np.ndarray) -> float:
    """The population stability index of counts in bins against their wanted shares."""
    got = np.maximum(counts / counts.sum(), 1e-4)
    return float(((got - wanted) * np.log(got / wanted)).sum())


def number(row: Row, name: str) -> float:
    if name.endswith("age_days"):
        return (row["tweet_timestamp"] - row[name.replace("age_days", "creation")]) / 86_400
    return len(row[name]) if name == "text_tokens" else row[name]


@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles(made: Made, name: str) -> None:
    values = np.array([number(row, name) for row in made.all_rows])
    counts = np.bincount(np.searchsorted(QUANTILES[name], values), minlength=len(LEVELS) + 1)
    assert stability(counts, np.diff([0, *LEVELS, 1])) < 0.1


@pytest.mark.parametrize("name", SHARES)
def test_shares(made: Made, name: str) -> None:
    value, wanted = SHARES[name]
    counts = Counter(value(row) for row in made.all_rows)
    assert counts.keys() <= wanted.keys()
    assert stability(np.array([counts[key] for key in wanted]), np.array(list(wanted.values()))) < 0.1


def test_languages(made: Made) -> None:
    counts = [count for _, count in Counter(row["language"] for row in made.all_rows).most_common()]
    wanted = np.array([*LANGUAGES, 1 - sum(LANGUAGES)])
    assert stability(np.array([*counts[: len(LANGUAGES)], sum(counts[len(LANGUAGES) :])]), wanted) < 0.1


def test_a_distortion_is_seen() -> None:
    """The index of a world whose viewers' accounts are twice as old as the real ones."""
    levels = np.linspace(0.0005, 0.9995, 1000)
    ages = 2 * np.interp(levels, [0, *LEVELS, 1], [71, *QUANTILES["engaging_user_account_age_days"], 5126])
    counts = np.bincount(np.searchsorted(QUANTILES["engaging_user_account_age_days"], ages), minlength=10)
    assert stability(counts, np.diff([0, *LEVELS, 1])) > 0.1


def test_the_evaluation_week_has_the_margins_too(made: Made) -> None:
    rows = [*made.validation, *made.test]
    assert all(TRAINING_END <= row["tweet_timestamp"] < EVALUATION_END for row in rows)
    values = np.array([number(row, "engaging_user_account_age_days") for row in rows])
    assert np.median(values) == pytest.approx(1204, rel=0.25)
