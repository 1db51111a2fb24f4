"""Tweets, pairs and followers recur as in the challenge's data."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from engage_pipeline.synthetic.windows import Window
from engage_pipeline_tests.synthetic.drawn import Drawn
from engage_pipeline_tests.synthetic.reading import AUTHOR, VIEWER, Made, share


def test_tweets_recur_within_one_window(made: Made) -> None:
    train, validation, test = (
        Counter(row["tweet_id"] for row in rows) for rows in (made.train, made.validation, made.test)
    )
    assert not train.keys() & (validation.keys() | test.keys())
    assert share(made.test, lambda row: row["tweet_id"] in validation) > 0.6
    assert share(made.train, lambda row: train[row["tweet_id"]] > 1) > 0.6
    seen = Counter((row["tweet_id"], row[VIEWER]) for row in made.all_rows)
    assert max(seen.values()) == 1


def test_pairs_recur_also_in_reversed_roles(made: Made) -> None:
    pairs = Counter((row[AUTHOR], row[VIEWER]) for row in made.train)
    assert share(made.train, lambda row: pairs[row[AUTHOR], row[VIEWER]] > 1) > 0.5
    assert share(made.test, lambda row: (row[AUTHOR], row[VIEWER]) in pairs) > 0.43
    assert share(made.test, lambda row: (row[VIEWER], row[AUTHOR]) in pairs) > 0.04
    follows: dict[tuple[str, str], bool] = {}
    for row in made.all_rows:
        follows_now = row["engagee_follows_engager"]
        assert follows.setdefault((row[AUTHOR], row[VIEWER]), follows_now) == follows_now


def test_authors_share_followers(made: Made) -> None:
    followers = defaultdict(set)
    for row in made.train:
        if row["engagee_follows_engager"]:
            followers[row[AUTHOR]].add(row[VIEWER])
    similar = 0
    for author, own in followers.items():
        others = (theirs for other, theirs in followers.items() if other != author)
        similar += any(len(own & theirs) >= 0.1 * len(own | theirs) for theirs in others)
    assert similar > 0.3 * len(followers)


def test_some_of_the_test_week_were_never_seen_before(made: Made) -> None:
    for column in (AUTHOR, VIEWER):
        before = {row[column] for row in made.train}
        assert 0.02 < share(made.test, lambda row, known=before, name=column: row[name] not in known) < 0.4  # type: ignore[misc]


def test_a_pair_has_one_lasting_effect() -> None:
    effects: dict[tuple[int, int], tuple[float, ...]] = {}
    for window in (Window(0, 21, 4_000), Window(21, 7, 2_000)):
        exposures = Drawn(users=400, window=window).exposures
        for author, viewer, effect in zip(exposures.author, exposures.viewer, exposures.pair_effect, strict=True):
            assert effects.setdefault((author, viewer), tuple(effect)) == tuple(effect)
    assert len(effects) < 5_000
    assert np.std(list(effects.values()), axis=0) == pytest.approx(np.ones(4), abs=0.1)
