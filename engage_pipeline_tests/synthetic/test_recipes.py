"""Every switch has an effect, and every recipe's labels are drawn from the oracle's probabilities at the real rates."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.synthetic import Recipe, recipe_named, synthesize
from engage_pipeline.synthetic.drift import SPIKE_PULL
from engage_pipeline.synthetic.effects import MOOD, NAMED, fixed_effects
from engage_pipeline.synthetic.labels import linked
from engage_pipeline.synthetic.recipes import Switch
from engage_pipeline.synthetic.tweets import NO_WORD, NOBODY
from engage_pipeline.synthetic.windows import DAY, TRAINING_START, Window
from engage_pipeline_tests.synthetic.drawn import FOLLOWS_FROM, PLAIN, Drawn
from engage_pipeline_tests.synthetic.reading import engaged, read_part

USERS, ROWS = 3_000, 24_000


@pytest.mark.parametrize("recipe", [recipe for recipe in Recipe if recipe is not Recipe.PLAIN])
def test_a_recipe_has_the_real_rates_and_its_oracle_is_true(tmp_path: Path, recipe: Recipe) -> None:
    synthesize(tmp_path, rows=ROWS, users=USERS, parts=2, seed=3, world=recipe, oracle=True)
    tables = [pq.read_table(tmp_path / f"{part}_truth.parquet") for part in ("validation", "test")]
    train = [row for path in sorted((tmp_path / "train").iterdir()) for row in read_part(path, labelled=True)]
    assert len(train) == ROWS - sum(table.num_rows for table in tables)
    wanted = {"like": 0.397, "retweet": 0.0875, "retweet_with_comment": 0.007, "reply": 0.029}
    for target in schema.TARGETS:
        labels = np.concatenate([table[target].to_numpy() for table in tables])
        odds = np.concatenate([table[f"p_{target}"].to_numpy() for table in tables])
        assert 0 < odds.min() <= odds.max() < 1
        rate = (labels.sum() + engaged(train, target).sum()) / ROWS
        assert rate == pytest.approx(wanted[target], rel={"like": 0.06, "retweet_with_comment": 0.3}.get(target, 0.15))
        for chosen in np.array_split(np.argsort(odds), 10):
            p, y = odds[chosen], labels[chosen]
            assert abs(y.sum() - p.sum()) < 4.5 * np.sqrt((p * (1 - p)).sum()) + 0.5


def test_all_has_every_switch() -> None:
    assert set(Recipe.ALL.switches) == set(Switch)
    union = Recipe.DRIFT.switches | Recipe.THREADS.switches | Recipe.NETWORK.switches
    assert union == Recipe.ALL.switches


def test_an_unknown_world_is_refused() -> None:
    assert recipe_named("drift") is Recipe.DRIFT
    with pytest.raises(UserError, match="world: flat is unknown; there are plain, drift, threads, network, all"):
        recipe_named("flat")


def effect_of(switch: Switch) -> np.ndarray:
    """What a switch adds to the effects (n, 4) of rows that are the same without it."""
    base = Drawn(users=500)
    world = dataclasses.replace(Drawn(PLAIN | switch, users=500).world, switches=PLAIN | switch)
    tweets = Drawn(PLAIN | switch, users=500).tweets
    np.testing.assert_array_equal(tweets.author, base.tweets.author)
    return fixed_effects(base.rng(4), world, tweets, base.exposures, FOLLOWS_FROM) - base.effects


@pytest.mark.parametrize("switch", [Switch.CENSORING, Switch.LINKS, Switch.FATIGUE, Switch.MOMENTUM])
def test_some_switches_leave_the_fixed_effects_alone(switch: Switch) -> None:
    assert not effect_of(switch).any()


def test_factors_are_an_affinity_that_no_sum_explains() -> None:
    drawn = Drawn(users=500)
    affinity = effect_of(Switch.FACTORS)[:, 0]
    assert 0.5 < affinity.std() < 2
    rest = affinity.copy()
    for _ in range(30):
        for key in (drawn.exposures.viewer, drawn.exposures.author):
            mean = np.bincount(key, rest) / np.maximum(np.bincount(key), 1)
            rest -= mean[key]
    assert rest.var() > 0.2 * affinity.var()


def test_a_name_pulls_like_its_person() -> None:
    for switch in (Switch.NAMED_RETWEETS, Switch.MENTIONS):
        drawn = Drawn(PLAIN | switch, users=500)
        named = drawn.tweets.named[drawn.exposures.tweet]
        added = effect_of(switch)
        assert not added[named == NOBODY].any()
        pull = drawn.world.author_effect[named[named != NOBODY], 1]
        assert np.corrcoef(added[named != NOBODY, 1], pull)[0, 1] == pytest.approx(1)
        assert added[named != NOBODY, 1].std() == pytest.approx(NAMED[1], rel=0.2)


def test_a_first_word_has_one_effect() -> None:
    drawn = Drawn(PLAIN | Switch.FIRST_WORDS, users=500)
    word, added = drawn.tweets.first_word[drawn.exposures.tweet], effect_of(Switch.FIRST_WORDS)
    assert not added[word == NO_WORD].any()
    one = added[word == 0]
    assert one.std(axis=0).max() < 1e-9 < np.abs(one[0]).min()


def test_a_mood_is_that_of_the_session() -> None:
    calm, moody = Drawn(PLAIN | Switch.SESSIONS), Drawn(PLAIN | Switch.SESSIONS | Switch.MOODS)
    mood = moody.effects[:, 0] - calm.effects[:, 0]
    session = calm.exposures.session
    means = np.bincount(session, mood) / np.maximum(np.bincount(session), 1)
    np.testing.assert_allclose(mood, means[session])
    assert mood.std() == pytest.approx(MOOD[0], rel=0.15)


def test_tastes_move_for_good() -> None:
    drawn = Drawn(PLAIN | Switch.MOVING_TASTES)
    share = [
        drawn.world.drift.share_moved(np.arange(1_000), np.full(1_000, TRAINING_START + day * DAY)) for day in (0, 60)
    ]
    assert share[0].mean() < 0.05
    assert share[1].mean() > 0.99
    assert not np.allclose(drawn.world.drift.later_taste, drawn.world.taste)
    late = Drawn(PLAIN | Switch.MOVING_TASTES, window=Window(40, 7, 12_000))
    assert np.abs(late.effects - Drawn(window=late.window).effects).max() > 0.5
    plain = Drawn().world
    np.testing.assert_array_equal(plain.drift.later_taste, plain.taste)


def test_topics_come_and_go() -> None:
    drift = Drawn(PLAIN | Switch.TOPIC_DRIFT).world.drift
    for walk in (drift.heat, drift.pull):
        today = walk[20:300].ravel()
        assert np.corrcoef(today, walk[21:301].ravel())[0, 1] > 0.8
        assert np.corrcoef(today, walk[60:340].ravel())[0, 1] < 0.3
    assert not Drawn().world.drift.heat.any()


def test_a_hot_topic_is_shown_more_and_pulls() -> None:
    drawn = Drawn(PLAIN | Switch.SPIKES, window=Window(0, 21, 30_000))
    hot = drawn.world.drift.pull > 0
    assert set(np.unique(drawn.world.drift.pull)) == {0.0, SPIKE_PULL}
    day = (drawn.tweets.timestamp - TRAINING_START) // DAY
    tweet_is_hot = hot[day, drawn.tweets.topic]
    shown = np.bincount(drawn.exposures.tweet, minlength=day.size)
    assert shown[tweet_is_hot].mean() > 2 * shown[~tweet_is_hot].mean()


def test_late_viewers_appear_day_by_day() -> None:
    plain, late = (Drawn(switches, window=Window(0, 28, 20_000)) for switches in (PLAIN, PLAIN | Switch.LATE_VIEWERS))
    shares = []
    for drawn in (plain, late):
        day = (drawn.exposures.moment - TRAINING_START) // DAY
        assert (drawn.world.arrival[drawn.exposures.viewer] <= day).all()
        assert (drawn.world.arrival[drawn.exposures.author] <= day).all()
        before = set(drawn.exposures.viewer[day < 21])
        shares.append(np.mean([viewer not in before for viewer in drawn.exposures.viewer[day >= 21]]))
    assert len(set(late.world.arrival)) > 10
    assert 0.02 < shares[0] < 0.7 * shares[1]


def test_without_censoring_every_delay_ends_in_time() -> None:
    window = Window(0, 1, 12_000)
    censored, open_ended = Drawn(window=window), Drawn(Switch(0), window=window)
    effects = censored.effects
    cut, whole = (drawn.engagements.labels(effects) for drawn in (censored, open_ended))
    late = censored.exposures.moment > window.end - 3 * 3600
    assert cut.probabilities[late].mean() < 0.8 * whole.probabilities[late].mean()
    assert (cut.timestamps > 0)[late].sum() < 0.8 * (whole.timestamps > 0)[late].sum()
    for labels in (cut, whole):
        assert labels.timestamps.max() < window.end


def test_another_link_is_heavier_tailed_and_rises() -> None:
    effect = np.linspace(-40, 40, 2_001)
    odds = linked(effect)
    assert (np.diff(odds) >= 0).all()
    assert odds[0] > 1e-6
    assert odds[-1] < 1
    assert odds[effect < -8].mean() > 10 * (1 / (1 + np.exp(-effect[effect < -8]))).mean()
    fitted = Drawn(PLAIN | Switch.LINKS).labels.probabilities[:, 0].mean()
    assert fitted == pytest.approx(0.397, abs=0.02)
