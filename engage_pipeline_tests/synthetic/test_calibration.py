"""The figures of docs/specification.md, section 1, come out."""

from collections import Counter

import numpy as np
import pytest

from engage_pipeline import schema
from engage_pipeline_tests.synthetic.reading import Made, engaged, share


def test_rates_of_engagements(made: Made) -> None:
    rows = [*made.train, *made.validation]
    rates = {target: engaged(rows, target).mean() for target in schema.TARGETS}
    assert rates["like"] == pytest.approx(0.397, abs=0.02)
    assert rates["retweet"] == pytest.approx(0.0875, abs=0.008)
    assert rates["reply"] == pytest.approx(0.029, abs=0.005)
    assert rates["retweet_with_comment"] == pytest.approx(0.0070, abs=0.002)
    none = ~np.any([engaged(rows, target) for target in schema.TARGETS], axis=0)
    assert none.mean() == pytest.approx(0.503, abs=0.02)


def test_engagements_correlate(made: Made) -> None:
    odds = np.array([made.test_oracle[target].to_numpy() for target in schema.TARGETS])
    correlations = np.corrcoef(np.log(odds / (1 - odds)))
    assert correlations.min() > 0.2
    several = np.sum([engaged(made.train, target) for target in schema.TARGETS], axis=0) >= 2
    assert 0.01 < several.mean() < 0.05


def test_lengths_of_texts(made: Made) -> None:
    lengths = np.array([len(row["text_tokens"]) for row in made.all_rows])
    assert lengths.mean() == pytest.approx(47, abs=2)
    assert np.median(lengths) == pytest.approx(41, abs=2)
    assert np.quantile(lengths, 0.95) == pytest.approx(105, abs=7)
    assert 180 <= lengths.max() <= 238


def test_types_hashtags_media_and_links(made: Made) -> None:
    rows = made.all_rows
    assert share(rows, lambda row: row["tweet_type"] == "TopLevel") == pytest.approx(0.60, abs=0.03)
    assert share(rows, lambda row: row["tweet_type"] == "Retweet") == pytest.approx(0.32, abs=0.03)
    assert share(rows, lambda row: row["tweet_type"] == "Quote") == pytest.approx(0.08, abs=0.02)
    assert share(rows, lambda row: bool(row["hashtags"])) == pytest.approx(0.20, abs=0.03)
    assert 0.2 < share(rows, lambda row: "Photo" in row["present_media"]) < 0.4
    assert 0.05 < share(rows, lambda row: "Video" in row["present_media"]) < 0.15
    assert 0.01 < share(rows, lambda row: "GIF" in row["present_media"]) < 0.06
    assert 0.1 < share(rows, lambda row: bool(row["present_links"])) < 0.2
    for name in ("hashtags", "present_media", "present_links"):
        assert any(len(row[name]) > 1 for row in rows)


def test_followers(peopled: Made) -> None:
    rows = peopled.all_rows
    followers = {
        role: [row[f"{role}_follower_count"] for row in rows] for role in ("engaged_with_user", "engaging_user")
    }
    assert np.median(followers["engaged_with_user"]) == pytest.approx(13_000, rel=0.15)
    assert np.median(followers["engaging_user"]) == pytest.approx(200, rel=0.15)
    groups = np.bincount(np.digitize(followers["engaged_with_user"], [240, 588, 1331, 3996]), minlength=5)
    assert (groups > 0.02 * len(rows)).all()


def test_follows(made: Made) -> None:
    assert share(made.all_rows, lambda row: row["engagee_follows_engager"]) == pytest.approx(0.35, abs=0.01)


def test_languages(peopled: Made) -> None:
    """Of the 66, 57 were among 10 000 real rows, 25 of them with ten rows or more."""
    rows = peopled.all_rows
    counts = Counter(row["language"] for row in rows)
    assert 45 <= len(counts) <= 66
    assert sum(count >= 0.001 * len(rows) for count in counts.values()) == pytest.approx(25, abs=3)
    assert 0.2 < counts.most_common(1)[0][1] / len(rows) < 0.5
