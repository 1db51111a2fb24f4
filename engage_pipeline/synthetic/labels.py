"""Labels: who engages, how and when, and with which probability.

The viewer engages at all with probability `any`; the first kind of engagement is drawn from four by their pulls; each
other kind follows with a small constant probability. An engagement comes with a delay after the tweet and is seen only
if the window has not ended. So the exact probability of a label, which the oracle files hold, is:

    any x (first kind is e  +  first kind is another x EXTRAS[e]) x share of delays that end in time.
"""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.schema import TARGETS
from engage_pipeline.synthetic.draws import Flags, Floats, Integers
from engage_pipeline.synthetic.exposures import Exposures
from engage_pipeline.synthetic.tweets import DAY, GIF, HOUR, PHOTO, TYPES, VIDEO, Tweets
from engage_pipeline.synthetic.world import N_EFFECTS, World

RATES = {"like": 0.397, "retweet": 0.0875, "retweet_with_comment": 0.0070, "reply": 0.029}
NONE_RATE = 0.503
EXTRAS = np.array([0.060, 0.030, 0.003, 0.008])
"""Probability of each of TARGETS in addition to another first kind; due to them, RATES + NONE_RATE exceed 1."""
MEDIAN_DELAYS = np.array([2_400.0, 3_600.0, 4_800.0, 1_800.0])
DELAY_SHAPE = 1.1
"""Delays are log-logistic: P(delay < x) = 1 / (1 + (median / x) ** shape), x in seconds."""

# Each effect's standard deviation: on engaging at all, and on the pull to retweet, retweet_with_comment and reply
# (the pull to like is 0). Most of the variance is lasting: it belongs to people, pairs, topics and languages.
VIEWER = np.array([1.9, 2.8, 1.0, 1.6])
AUTHOR = np.array([0.8, 1.0, 0.6, 0.8])
PAIR = np.array([0.9, 0.9, 0.6, 0.8])
TWEET = np.array([0.7, 0.5, 0.4, 0.5])
HASHTAG = np.array([0.3, 0.3, 0.3, 0.2])
TOPIC = np.array([0.4, 0.5, 0.5, 0.5])
ROW = np.array([0.3, 0.2, 0.2, 0.2])
TOPIC_INTEREST, AUTHOR_INTEREST = 0.9, 0.8
"""Effects of one unit of the product of a viewer's taste with the topic's axis, and with the author's position."""
FOREIGN_LANGUAGE, FOLLOWS, ACTIVE_HOUR = -1.0, 0.5, 0.45
TYPE_EFFECTS = np.array([[0.0, 0.0, 0.0, 0.0], [-0.6, 0.8, -0.3, -1.2], [0.0, -0.4, 0.5, 0.1]])
"""The effects of each of TYPES."""
VISUAL_EFFECTS = np.zeros((4, N_EFFECTS))
VISUAL_EFFECTS[PHOTO] = 0.35, 0.1, -0.1, -0.2
VISUAL_EFFECTS[VIDEO] = 0.15, 0.35, 0.1, -0.2
VISUAL_EFFECTS[GIF] = 0.2, -0.3, -0.2, 0.4
FIT_ROWS, FIT_ROUNDS = 60_000, 60


@dataclass(frozen=True)
class Labels:
    """Arrays over rows and TARGETS (n, 4)."""

    probabilities: Floats
    timestamps: Integers
    """Unix seconds; 0 = no such engagement."""


def draw_labels(rng: np.random.Generator, world: World, tweets: Tweets, exposures: Exposures) -> Labels:
    """Computes probabilities at the rates of RATES, and draws labels from them."""
    seconds_left = tweets.window_end[exposures.tweet] - tweets.timestamp[exposures.tweet]
    in_time = _share_in_time(seconds_left)
    effects = _effects(rng, world, tweets, exposures)
    effects += _fit_intercepts(effects, in_time)
    engages, first = _choices(effects)
    probabilities = engages[:, None] * (first + (1 - first) * EXTRAS) * in_time
    happens = _draw_kinds(rng, engages, first)
    position = rng.random(happens.shape)
    delays = MEDIAN_DELAYS * (position / (1 - position)) ** (1 / DELAY_SHAPE)
    kept = happens & (delays < seconds_left[:, None] - 1)
    moments = tweets.timestamp[exposures.tweet][:, None] + 1 + np.where(kept, delays, 0).astype(np.int64)
    return Labels(probabilities, np.where(kept, moments, 0))


def _share_in_time(seconds_left: Integers) -> Floats:
    """Returns the probability (n, 4) that the delay of each of TARGETS, at least one second, ends in the window."""
    left = np.maximum(seconds_left - 1, 0).astype(float)[:, None]
    powered = left**DELAY_SHAPE
    return powered / (powered + MEDIAN_DELAYS**DELAY_SHAPE)


def _effects(rng: np.random.Generator, world: World, tweets: Tweets, exposures: Exposures) -> Floats:
    """Returns (n, 4): the log-odds of engaging at all, and the pulls to retweet, retweet_with_comment and reply, all
    without intercepts."""
    tweet, viewer, author = exposures.tweet, exposures.viewer, exposures.author
    topic = tweets.topic[tweet]
    effects = VIEWER * world.viewer_effect[viewer] + AUTHOR * world.author_effect[author]
    effects += PAIR * exposures.pair_effect + TWEET * tweets.effect[tweet]
    effects += TOPIC * _centred(rng.standard_normal((world.topic_axes.shape[0], N_EFFECTS)))[topic]
    effects += HASHTAG * _hashtag_effects(tweets)[tweet]
    effects += TYPE_EFFECTS[tweets.type[tweet]] + VISUAL_EFFECTS[tweets.visual[tweet]]
    effects += ROW * rng.standard_normal((tweet.size, N_EFFECTS))
    type_habits = 0.4 * rng.standard_normal((world.n_users, len(TYPES)))
    hour = tweets.timestamp[tweet] % DAY / HOUR
    effects[:, 0] += type_habits[viewer, tweets.type[tweet]]
    effects[:, 0] += TOPIC_INTEREST * (world.taste[viewer] * world.topic_axes[topic]).sum(axis=1)
    effects[:, 0] += AUTHOR_INTEREST * (world.taste[viewer] * world.position[author]).sum(axis=1)
    effects[:, 0] += FOREIGN_LANGUAGE * (world.language[viewer] != tweets.language[tweet])
    effects[:, 0] += ACTIVE_HOUR * np.cos((hour - world.active_hour[viewer]) * (2 * np.pi / 24))
    effects[:, 0] += FOLLOWS * exposures.follows
    effects[:, 3] += FOLLOWS * exposures.follows
    return effects


def _centred(values: Floats) -> Floats:
    return values - values.mean(axis=0)


def _hashtag_effects(tweets: Tweets) -> Floats:
    """Returns the effect (tweets, effects) of each tweet's first hashtag; 0 if it has none."""
    first = np.cumsum(tweets.hashtag_counts) - tweets.hashtag_counts
    tagged = tweets.hashtag_counts > 0
    effects = np.zeros((tagged.size, N_EFFECTS))
    effects[tagged] = tweets.hashtag_effect[tweets.hashtags[first[tagged]]]
    return effects


def _choices(effects: Floats) -> tuple[Floats, Floats]:
    """Returns the probability of engaging at all (n), and of each of TARGETS to be the first kind (n, 4)."""
    pulls = np.exp(np.concatenate([np.zeros((effects.shape[0], 1)), effects[:, 1:]], axis=1))
    return 1 / (1 + np.exp(-effects[:, 0])), pulls / pulls.sum(axis=1, keepdims=True)


def _fit_intercepts(effects: Floats, in_time: Floats) -> Floats:
    """Fits intercepts (4) so that a sample of the rows has NONE_RATE and the RATES except that of like, which follows
    from them."""
    sample = slice(None, None, max(1, effects.shape[0] // FIT_ROWS))
    effects, in_time = effects[sample], in_time[sample]
    wanted = np.array([1 - NONE_RATE, *(RATES[target] for target in TARGETS[1:])])
    intercepts = np.zeros(N_EFFECTS)
    for _ in range(FIT_ROUNDS):
        engages, first = _choices(effects + intercepts)
        rates = (engages[:, None] * (first + (1 - first) * EXTRAS) * in_time).mean(axis=0)
        rates[0] = (engages * (first * in_time).sum(axis=1)).mean()
        intercepts += np.log(wanted / (1 - wanted)) - np.log(rates / (1 - rates))
    return intercepts


def _draw_kinds(rng: np.random.Generator, engages: Floats, first: Floats) -> Flags:
    """Draws which of TARGETS each row's viewer does, bool (n, 4), ignoring the end of the window."""
    position = rng.random(engages.size)[:, None]
    upper = np.cumsum(first, axis=1)
    upper[:, -1] = 1.0
    chosen = (position < upper) & (position >= upper - first)
    chosen[:, -1] = position[:, 0] >= upper[:, -2]
    return (rng.random(engages.size) < engages)[:, None] & (chosen | (rng.random(first.shape) < EXTRAS))
