"""Tweets: author, time, topic, language, type, media, hashtags and quality."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engage_pipeline.synthetic.draws import Flags, Floats, Integers, choose, cumulative, skewed_below, top_share, zipf
from engage_pipeline.synthetic.world import N_EFFECTS, N_LANGUAGES, N_TOPICS, World

DAY, HOUR = 86_400, 3_600
TRAINING_START, EVALUATION_START, EVALUATION_END = 1_612_396_800, 1_614_211_200, 1_614_816_000
"""2021-02-04, 2021-02-25 and 2021-03-04, 00:00 UTC."""
LAST_SECONDS = 60
"""No tweet is written in its window's last 60 seconds, so that each label has a probability above 0."""
ROWS_PER_TWEET = 3.0
"""Rows per written tweet; tweets that nobody sees leave no row."""

TYPES = ("TopLevel", "Retweet", "Quote")
RETWEET_SHARE, QUOTE_SHARE, HASHTAG_SHARE = 0.32, 0.08, 0.20
PHOTO, VIDEO, GIF = 1, 2, 3
VISUAL_SHARES = {PHOTO: 0.30, VIDEO: 0.09, GIF: 0.03}
LINK_SHARE = 0.15
HASHTAGS_PER_TOPIC = 60
N_LINKS, N_DOMAINS = 4_000, 400


@dataclass(frozen=True)
class Tweets:
    """Arrays over tweets (n); those of the training window come first."""

    n_training: int
    author: Integers  # person
    window_end: Integers  # Unix seconds; engagements after it are not seen
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
    hashtag_effect: Floats  # (hashtags, effects)


def draw_tweets(rng: np.random.Generator, world: World, training_rows: int, evaluation_rows: int) -> Tweets:
    """Draws enough tweets for the rows of both windows."""
    counts = [max(20, round(rows / ROWS_PER_TWEET)) for rows in (training_rows, evaluation_rows)]
    n = sum(counts)
    author = np.concatenate(
        [_authors(rng, world, counts[0], newcomers=False), _authors(rng, world, counts[1], newcomers=True)]
    )
    language = _languages(rng, world, author)
    window_start = np.repeat([TRAINING_START, EVALUATION_START], counts)
    window_end = np.repeat([EVALUATION_START, EVALUATION_END], counts)
    topic = np.where(
        rng.random(n) < 0.7, world.home_topic[world.community[author]], rng.choice(N_TOPICS, n, p=zipf(N_TOPICS, 3, 1))
    )
    habits = 0.6 * rng.standard_normal((world.n_users, 4))[author] + 0.8 * rng.standard_normal((n, 4))
    fame = rng.standard_normal(n)
    popularity = np.exp(1.25 * fame)
    visual = _visuals(habits[:, 0], popularity)
    hashtag_counts = np.where(top_share(habits[:, 1], popularity, HASHTAG_SHARE), rng.geometric(0.5, n).clip(1, 8), 0)
    link_counts = np.where(top_share(habits[:, 2], popularity, LINK_SHARE), rng.geometric(0.92, n).clip(1, 3), 0)
    return Tweets(
        n_training=counts[0],
        author=author,
        window_end=window_end,
        timestamp=_timestamps(rng, language, window_start, window_end),
        topic=topic,
        language=language,
        type=_types(habits[:, 3], popularity),
        visual=visual,
        n_photos=np.where(visual == PHOTO, rng.geometric(0.7, n).clip(1, 4), 0),
        hashtag_counts=hashtag_counts,
        hashtags=_hashtags(rng, np.repeat(topic, hashtag_counts)),
        link_counts=link_counts,
        links=skewed_below(rng, N_LINKS, int(link_counts.sum()), 3.0),
        popularity=popularity,
        effect=_quality(rng, fame),
        hashtag_effect=rng.standard_normal((N_TOPICS * HASHTAGS_PER_TOPIC, N_EFFECTS)),
    )


def _quality(rng: np.random.Generator, fame: Floats) -> Floats:
    """Draws effects (n, effects) of variance 1; tweets that are shown more tend to get more engagements."""
    effect = rng.standard_normal((fame.size, N_EFFECTS))
    effect[:, 0] = 0.5 * fame + np.sqrt(0.75) * effect[:, 0]
    return effect


def _authors(rng: np.random.Generator, world: World, count: int, *, newcomers: bool) -> Integers:
    weights = world.authorship if newcomers else world.authorship * ~world.newcomer
    everyone = np.zeros(count, dtype=np.int64)
    return choose(rng, cumulative(weights), everyone, everyone + world.n_users)


def _languages(rng: np.random.Generator, world: World, author: Integers) -> Integers:
    """Draws languages: mostly the author's own, sometimes any."""
    other = rng.choice(N_LANGUAGES, author.size, p=world.language_shares)
    return np.where(rng.random(author.size) < 0.92, world.language[author], other)


def _timestamps(rng: np.random.Generator, language: Integers, start: Integers, end: Integers) -> Integers:
    """Draws times: days uniformly, hours with a night that differs by language, none in the window's last minute."""
    hours = np.arange(24)
    weights = 1.0 + 0.75 * np.sin(2 * np.pi * (hours - 9) / 24)
    local_hour = rng.choice(24, language.size, p=weights / weights.sum())
    hour = (local_hour + language * 7) % 24
    day = start + rng.integers(0, (end - start) // DAY) * DAY
    return np.minimum(day + hour * HOUR + rng.integers(0, HOUR, language.size), end - LAST_SECONDS)


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
