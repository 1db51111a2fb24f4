"""What happened before a row moves it: fatigue, momentum and conversations, and the oracle knows."""

import dataclasses

import numpy as np
import pytest

from engage_pipeline.schema import TARGETS
from engage_pipeline.synthetic.history import (
    CONVERSATION,
    FATIGUE,
    MEMORY,
    MOMENTUM,
    History,
    add_fatigue,
    recent_impressions,
)
from engage_pipeline.synthetic.recipes import Recipe, Switch
from engage_pipeline.synthetic.windows import Window
from engage_pipeline_tests.synthetic.drawn import PLAIN, Drawn

THREADS = Drawn(Recipe.THREADS.switches, users=300, window=Window(0, 21, 6_000))
LIKE, REPLY = TARGETS.index("like"), TARGETS.index("reply")


def test_impressions_are_those_of_the_pair_in_three_days() -> None:
    exposures = THREADS.exposures
    counts = recent_impressions(THREADS.world, exposures)
    assert counts.max() > 2
    for row in range(0, counts.size, 50):
        same = (exposures.viewer == exposures.viewer[row]) & (exposures.author == exposures.author[row])
        age = exposures.moment[row] - exposures.moment[same]
        assert counts[row] == ((age > 0) & (age <= MEMORY)).sum()


def test_fatigue_lowers_the_rate_with_impressions() -> None:
    counts = recent_impressions(THREADS.world, THREADS.exposures)
    tired = np.zeros((counts.size, 4))
    add_fatigue(tired, THREADS.world, THREADS.exposures)
    assert (tired[counts == 0] == 0).all()
    assert tired[counts == 1, 0] == pytest.approx(FATIGUE * np.log(2))
    effects = THREADS.effects + THREADS.engagements.fit_intercepts(THREADS.effects)
    fresh, now = (THREADS.engagements.labels(values).timestamps > 0 for values in (effects, effects + tired))
    rates = [now[group, LIKE].mean() / fresh[group, LIKE].mean() for group in (counts == 0, counts == 1, counts > 2)]
    assert rates[0] > 0.95
    assert rates[0] > rates[1] + 0.05 > rates[2] + 0.1


def test_plain_worlds_know_no_fatigue() -> None:
    drawn = Drawn(users=300)
    effects = np.zeros((drawn.window.rows, 4))
    add_fatigue(effects, drawn.world, drawn.exposures)
    assert not effects.any()
    assert recent_impressions(drawn.world, drawn.exposures).max() > 0


@pytest.mark.parametrize("switch", [Switch.MOMENTUM, Switch.CONVERSATIONS, Switch.MOMENTUM | Switch.CONVERSATIONS])
def test_rounds_of_all_viewers_do_what_one_row_after_the_other_does(switch: Switch) -> None:
    drawn = THREADS
    world = dataclasses.replace(drawn.world, switches=PLAIN | switch)
    effects = drawn.effects + np.array([-0.5, -2.0, -5.0, -1.0])
    added, happens = History(world, drawn.exposures).simulate(effects, drawn.engagements.draw)
    expected, did = one_by_one(drawn, effects, switch)
    np.testing.assert_array_equal(happens, did)
    np.testing.assert_allclose(added, expected)
    assert added[:, 0].any()


def one_by_one(drawn: Drawn, effects: np.ndarray, switch: Switch) -> tuple[np.ndarray, np.ndarray]:
    """Slowly: what history adds, and what happens."""
    exposures = drawn.exposures
    added, did = np.zeros((len(effects), 4)), np.zeros((len(effects), 4), dtype=bool)
    liked: dict[int, bool] = {}
    replied: dict[tuple[int, int], int] = {}
    for row in np.lexsort((exposures.place, exposures.moment)).tolist():
        pair, session = (exposures.viewer[row], exposures.author[row]), exposures.session[row]
        if Switch.MOMENTUM in switch and liked.get(session):
            added[row, 0] += MOMENTUM
        if Switch.CONVERSATIONS in switch and replied.get(pair, -(10**12)) > exposures.moment[row] - MEMORY:
            added[row, [0, REPLY]] += CONVERSATION / 2, CONVERSATION
        did[row] = drawn.engagements.draw(np.array([row]), effects[[row]] + added[[row]])[0]
        liked[session] = did[row, LIKE]
        if did[row, REPLY]:
            replied[pair] = exposures.moment[row]
    return added, did


def test_sessions_show_what_was_written_lately() -> None:
    exposures = THREADS.exposures
    age = exposures.moment - THREADS.tweets.timestamp[exposures.tweet]
    assert age.min() > 0
    assert (age < 19 * 3600).mean() > 0.8
    sizes = np.bincount(exposures.session)
    assert 2.5 < sizes[sizes > 0].mean() < 6
    for session in np.flatnonzero(sizes > 1)[:100]:
        rows = exposures.session == session
        assert len(set(exposures.viewer[rows])) == 1
        assert sorted(exposures.place[rows]) == list(range(rows.sum()))
        assert np.ptp(exposures.moment[rows]) == 12 * (rows.sum() - 1)
    stamps = THREADS.labels.timestamps
    assert (stamps[stamps > 0] > np.broadcast_to(exposures.moment[:, None], stamps.shape)[stamps > 0]).all()


def test_without_sessions_a_tweet_is_seen_when_it_is_written() -> None:
    drawn = Drawn(users=300)
    np.testing.assert_array_equal(drawn.exposures.moment, drawn.tweets.timestamp[drawn.exposures.tweet])
    assert len(set(drawn.exposures.session)) == drawn.window.rows


def test_the_oracle_knows_what_happened_before() -> None:
    effects = THREADS.effects + THREADS.engagements.fit_intercepts(THREADS.effects)
    moved = THREADS.engagements.simulate(effects)[0][:, 0] > 0
    labels = THREADS.engagements.labels(effects)
    p, y = labels.probabilities[moved, LIKE], labels.timestamps[moved, LIKE] > 0
    assert moved.mean() > 0.1
    assert abs(y.sum() - p.sum()) < 4.5 * np.sqrt((p * (1 - p)).sum())
