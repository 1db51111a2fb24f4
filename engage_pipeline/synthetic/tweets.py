"""Tweets: author, time, topic, language, type, media, hashtags, quality, and who is named in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.synthetic.audience import neighbours
from engage_pipeline.synthetic.draws import Flags, Floats, Integers, choose, cumulative, skewed_below, top_share, zipf
from engage_pipeline.synthetic.margins import HOUR_SHARES, LANGUAGE_SHARES
from engage_pipeline.synthetic.recipes import Switch
from engage_pipeline.synthetic.windows import DAY, HOUR, LAST_SECONDS, Window
from engage_pipeline.synthetic.world import (
    HASHTAGS_PER_TOPIC,
    N_EFFECTS,
    N_FIRST_WORDS,
    N_LANGUAGES,
    N_TOPICS,
    World,
)

ROWS_PER_TWEET = 3.0
"""Rows per written tweet; tweets that nobody sees leave no row."""
MIN_TWEETS = 20

TYPES = ("TopLevel", "Retweet", "Quote")
RETWEET_SHARE, QUOTE_SHARE, HASHTAG_SHARE = 0.3184, 0.0808, 0.2148
PHOTO, VIDEO, GIF = 1, 2, 3
VISUAL_SHARES = {PHOTO: 0.2956, VIDEO: 0.0668, GIF: 0.0143}
PHOTO_SHARES = [0.6786, 0.1830, 0.0494, 0.0890]
"""Shares of tweets with 1, 2, 3 and 4 photos among those with any."""
LINK_SHARE = 0.1231
N_LINKS, N_DOMAINS = 4_000, 400
MENTION_SHARE, FIRST_WORD_SHARE = 0.125, 0.5
NOBODY = NO_WORD = -1


@dataclass(frozen=True)
class Tweets:
    """Arrays over tweets (n) of one window."""

    author: Integers  # person
    timestamp: Integers  # Unix seconds
    topic: Integers
    language: Integers
    type: Integers  # index into TYPES
    visual: Integers  # 0 = none, PHOTO, VIDEO or GIF
    n_photos: Integers
    hashtag_counts: Integers
    hashtags: Integers  # flat, hashtag_counts of each tweet in turn
    link_counts: Integers
    links: Integers  # flat
    popularity: Floats  # how often a tweet is shown, relative to others
    effect: Floats  # (n, effects) quality
    named: Integers  # the person with whose name the text begins; NOBODY
    first_word: Integers  # NO_WORD = one like the others


def draw_tweets(rng: np.random.Generator, world: World, window: Window) -> Tweets:
    """Draws enough tweets for the rows of the window."""
    n = max(MIN_TWEETS, round(window.rows / ROWS_PER_TWEET))
    rng, wording_rng = rng.spawn(2)
    day = window.first_day + rng.integers(0, window.days, n)
    author = _authors(rng, world, day)
    other_language = rng.choice(N_LANGUAGES, n, p=LANGUAGE_SHARES)
    language = np.where(rng.random(n) < 0.92, world.language[author], other_language)
    topic = np.where(
        rng.random(n) < 0.7, world.home_topic[world.community[author]], rng.choice(N_TOPICS, n, p=zipf(N_TOPICS, 3, 1))
    )
    habits = 0.6 * rng.standard_normal((world.n_users, 4))[author] + 0.8 * rng.standard_normal((n, 4))
    fame = rng.standard_normal(n)
    popularity = np.exp(1.25 * fame + world.drift.heat[day, topic])
    visual = _visuals(habits[:, 0], popularity)
    hashtag_counts = np.where(top_share(habits[:, 1], popularity, HASHTAG_SHARE), rng.geometric(0.5, n).clip(1, 8), 0)
    link_counts = np.where(top_share(habits[:, 2], popularity, LINK_SHARE), rng.geometric(0.92, n).clip(1, 3), 0)
    kind = _types(habits[:, 3], popularity)
    return Tweets(
        author=author,
        timestamp=_timestamps(rng, language, day, window),
        topic=topic,
        language=language,
        type=kind,
        visual=visual,
        n_photos=np.where(visual == PHOTO, 1 + rng.choice(4, n, p=PHOTO_SHARES), 0),
        hashtag_counts=hashtag_counts,
        hashtags=_hashtags(rng, np.repeat(topic, hashtag_counts)),
        link_counts=link_counts,
        links=skewed_below(rng, N_LINKS, int(link_counts.sum()), 3.0),
        popularity=popularity,
        effect=_quality(rng, fame),
        named=_named(wording_rng, world, author, kind),
        first_word=_first_words(wording_rng, world, n),
    )


def _quality(rng: np.random.Generator, fame: Floats) -> Floats:
    """Draws effects (n, effects) of variance 1; tweets that are shown more tend to get more engagements."""
    effect = rng.standard_normal((fame.size, N_EFFECTS))
    effect[:, 0] = 0.5 * fame + np.sqrt(0.75) * effect[:, 0]
    return effect


def _authors(rng: np.random.Generator, world: World, day: Integers) -> Integers:
    """Draws an author for each day; where one has not arrived yet, another one that has on the first day."""
    everyone = np.zeros(day.size, dtype=np.int64)
    author = choose(rng, cumulative(world.authorship), everyone, everyone + world.n_users)
    known = world.authorship * (world.arrival <= day.min())
    other = choose(rng, cumulative(known), everyone, everyone + world.n_users)
    return np.where(world.arrival[author] <= day, author, other)


def _timestamps(rng: np.random.Generator, language: Integers, day: Integers, window: Window) -> Integers:
    """Draws times: hours with a night that differs by language, none in the window's last minute."""
    night = np.cos(2 * np.pi * (np.arange(24)[None, :] - 7 * np.arange(N_LANGUAGES)[:, None]) / 24)
    running = cumulative((HOUR_SHARES * (1 - 0.5 * night)).ravel())
    hour = choose(rng, running, language * 24, language * 24 + 24) % 24
    moment = window.start + (day - window.first_day) * DAY + hour * HOUR + rng.integers(0, HOUR, day.size)
    return np.minimum(moment, window.end - LAST_SECONDS)


def _types(habit: Floats, popularity: Floats) -> Integers:
    quote = top_share(habit, popularity, QUOTE_SHARE)
    shared = top_share(habit, popularity, QUOTE_SHARE + RETWEET_SHARE)
    return np.where(quote, TYPES.index("Quote"), np.where(shared, TYPES.index("Retweet"), TYPES.index("TopLevel")))


def _visuals(habit: Floats, popularity: Floats) -> Integers:
    visual = np.zeros(habit.size, dtype=np.int64)
    share = 0.0
    for kind, own_share in VISUAL_SHARES.items():
        share += own_share
        chosen: Flags = top_share(habit, popularity, share) & (visual == 0)
        visual[chosen] = kind
    return visual


def _hashtags(rng: np.random.Generator, topic: Integers) -> NDArray[np.int64]:
    """Draws a hashtag for each of `topic`, nine in ten from the topic's own."""
    topic = np.where(rng.random(topic.size) < 0.9, topic, rng.integers(0, N_TOPICS, topic.size))
    return topic * HASHTAGS_PER_TOPIC + skewed_below(rng, HASHTAGS_PER_TOPIC, topic.size, 2.5)


def _named(rng: np.random.Generator, world: World, author: Integers, kind: Integers) -> Integers:
    """Draws who is named: retweets name the original author, some others mention someone of the community."""
    person = neighbours(rng, world, author, world.authorship + 1e-12, widely=0.2)
    retweet = kind == TYPES.index("Retweet")
    named = np.where(retweet, Switch.NAMED_RETWEETS in world.switches, Switch.MENTIONS in world.switches)
    named &= retweet | (rng.random(author.size) < MENTION_SHARE)
    return np.where(named, person, NOBODY)


def _first_words(rng: np.random.Generator, world: World, count: int) -> Integers:
    if Switch.FIRST_WORDS not in world.switches:
        return np.full(count, NO_WORD)
    word = skewed_below(rng, N_FIRST_WORDS, count, 2.0)
    return np.where(rng.random(count) < FIRST_WORD_SHARE, word, NO_WORD)
