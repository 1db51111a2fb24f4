"""Effects: what moves a row's log-odds of engaging and its pulls to each kind, before anything that happened."""

import numpy as np

from engage_pipeline.synthetic.draws import Floats
from engage_pipeline.synthetic.exposures import Exposures
from engage_pipeline.synthetic.recipes import Switch
from engage_pipeline.synthetic.tweets import GIF, NO_WORD, NOBODY, PHOTO, VIDEO, Tweets
from engage_pipeline.synthetic.windows import DAY, HOUR, TRAINING_START
from engage_pipeline.synthetic.world import N_EFFECTS, World

# Each effect's standard deviation: on engaging at all, and on the pull to retweet, retweet_with_comment and reply
# (the pull to like is 0). Most of the variance is lasting: it belongs to people, pairs, topics and languages.
VIEWER = np.array([1.9, 2.8, 1.0, 1.6])
AUTHOR = np.array([0.8, 1.0, 0.6, 0.8])
PAIR = np.array([0.9, 0.9, 0.6, 0.8])
TWEET = np.array([0.7, 0.5, 0.4, 0.5])
HASHTAG = np.array([0.3, 0.3, 0.3, 0.2])
TOPIC = np.array([0.4, 0.5, 0.5, 0.5])
ROW = np.array([0.3, 0.2, 0.2, 0.2])
FACTOR = np.array([1.1, 0.9, 0.6, 0.8])
NAMED = np.array([1.0, 1.0, 0.8, 1.0])
FIRST_WORD = np.array([0.5, 0.5, 0.5, 0.6])
MOOD = np.array([0.7, 0.3, 0.0, 0.3])
TYPE_HABIT = 0.4
TOPIC_INTEREST, AUTHOR_INTEREST = 0.9, 0.8
"""Effects of one unit of the product of a viewer's taste with the topic's axis, and with the author's position."""
FOREIGN_LANGUAGE, FOLLOWS, ACTIVE_HOUR = -1.0, 0.5, 0.45
PLACE = -0.04
"""Effect of each further tweet of a session."""
TYPE_EFFECTS = np.array([[0.0, 0.0, 0.0, 0.0], [-0.6, 0.8, -0.3, -1.2], [0.0, -0.4, 0.5, 0.1]])
"""The effects of each of TYPES."""
VISUAL_EFFECTS = np.zeros((4, N_EFFECTS))
VISUAL_EFFECTS[PHOTO] = 0.35, 0.1, -0.1, -0.2
VISUAL_EFFECTS[VIDEO] = 0.15, 0.35, 0.1, -0.2
VISUAL_EFFECTS[GIF] = 0.2, -0.3, -0.2, 0.4


def fixed_effects(
    rng: np.random.Generator, world: World, tweets: Tweets, exposures: Exposures, follows_from: float
) -> Floats:
    """Returns (n, 4): the log-odds of engaging at all, and the pulls to retweet, retweet_with_comment and reply, all
    without intercepts and without what depends on earlier rows. The author follows where the bond is `follows_from`.
    """
    tweet, viewer, author = exposures.tweet, exposures.viewer, exposures.author
    topic, kind = tweets.topic[tweet], tweets.type[tweet]
    effects = VIEWER * world.viewer_effect[viewer] + AUTHOR * world.author_effect[author]
    effects += PAIR * exposures.pair_effect + TWEET * tweets.effect[tweet]
    effects += TOPIC * world.topic_effect[topic]
    effects += HASHTAG * _hashtag_effects(world, tweets)[tweet]
    effects += TYPE_EFFECTS[kind] + VISUAL_EFFECTS[tweets.visual[tweet]]
    effects += ROW * rng.standard_normal((tweet.size, N_EFFECTS))
    taste = _tastes(world, exposures)
    hour = exposures.moment % DAY / HOUR
    follows = exposures.bond > follows_from
    effects[:, 0] += TYPE_HABIT * world.type_habit[viewer, kind]
    effects[:, 0] += world.drift.pull[(exposures.moment - TRAINING_START) // DAY, topic]
    effects[:, 0] += TOPIC_INTEREST * (taste * world.topic_axes[topic]).sum(axis=1)
    effects[:, 0] += AUTHOR_INTEREST * (taste * world.position[author]).sum(axis=1)
    effects[:, 0] += FOREIGN_LANGUAGE * (world.language[viewer] != tweets.language[tweet])
    effects[:, 0] += ACTIVE_HOUR * np.cos((hour - world.active_hour[viewer]) * (2 * np.pi / 24))
    effects[:, 0] += FOLLOWS * follows + PLACE * exposures.place
    effects[:, 3] += FOLLOWS * follows
    _add_hidden(effects, world, exposures)
    _add_words(effects, world, tweets, exposures, taste)
    if Switch.MOODS in world.switches:
        mood = rng.spawn(1)[0].standard_normal((exposures.session.max(initial=0) + 1, N_EFFECTS))
        effects += MOOD * mood[exposures.session]
    return effects


def _tastes(world: World, exposures: Exposures) -> Floats:
    """Returns the viewers' tastes at the rows' moments (n, tastes)."""
    before = world.taste[exposures.viewer]
    if Switch.MOVING_TASTES not in world.switches:
        return before
    moved = world.drift.share_moved(exposures.viewer, exposures.moment)[:, None]
    return (1 - moved) * before + moved * world.drift.later_taste[exposures.viewer]


def _hashtag_effects(world: World, tweets: Tweets) -> Floats:
    """Returns the effect (tweets, effects) of each tweet's first hashtag; 0 if it has none."""
    first = np.cumsum(tweets.hashtag_counts) - tweets.hashtag_counts
    tagged = tweets.hashtag_counts > 0
    effects = np.zeros((tagged.size, N_EFFECTS))
    effects[tagged] = world.hashtag_effect[tweets.hashtags[first[tagged]]]
    return effects


def _add_hidden(effects: Floats, world: World, exposures: Exposures) -> None:
    """Adds the affinity of viewer and author: for each effect a weighted product of their factors."""
    if Switch.FACTORS in world.switches:
        product = world.hidden.viewer_factor[exposures.viewer] * world.hidden.author_factor[exposures.author]
        effects += FACTOR * (product @ world.hidden.factor_effect)


def _add_words(effects: Floats, world: World, tweets: Tweets, exposures: Exposures, taste: Floats) -> None:
    """Adds the pull of the person whose name begins the text, and the effect of the first word."""
    person, word = tweets.named[exposures.tweet], tweets.first_word[exposures.tweet]
    named, opened = np.flatnonzero(person != NOBODY), np.flatnonzero(word != NO_WORD)
    effects[named] += NAMED * AUTHOR * world.author_effect[person[named]]
    effects[named, 0] += AUTHOR_INTEREST * (taste[named] * world.position[person[named]]).sum(axis=1)
    effects[opened] += FIRST_WORD * world.hidden.first_word_effect[word[opened]]
