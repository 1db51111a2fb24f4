"""Sessions: viewers come for a while and are shown what was written lately, most of it by the authors they follow."""

import numpy as np

from engage_pipeline.synthetic.audience import Audience
from engage_pipeline.synthetic.draws import Floats, Integers, choose, cumulative
from engage_pipeline.synthetic.tweets import Tweets
from engage_pipeline.synthetic.windows import DAY, HOUR, Window
from engage_pipeline.synthetic.world import World

MEAN_SIZE = 5
LOOK_BACK = 18 * HOUR
"""How old a shown tweet may be; more in later attempts, when there are too few tweets."""
FOLLOWED_SHARE, LANGUAGE_SHARE = 0.66, 0.28
"""Shares of tweets by authors in whose audience the viewer is, and by others in the viewer's language."""
HOURS_AROUND = 3.0
SESSION_SECONDS = 30 * 60
"""A session begins at least this long before its window ends."""


class Feed:
    """The tweets of a window by author, by language and all, each in order of time."""

    def __init__(self, world: World, audience: Audience, tweets: Tweets, window: Window) -> None:
        """Sorts the tweets."""
        self.world, self.audience, self.tweets, self.window = world, audience, tweets, window
        self.by_author = _Shelf(tweets.author, tweets, window)
        self.by_language = _Shelf(tweets.language, tweets, window)
        self.all = _Shelf(np.zeros_like(tweets.author), tweets, window)

    def views(self, rng: np.random.Generator, count: int, attempt: int) -> Integers:
        """Draws at most `count` views, of older tweets in each attempt: tweet, viewer, moment, session (4, views)."""
        n_sessions = count // MEAN_SIZE + 1
        everyone = np.zeros(n_sessions, dtype=np.int64)
        person = choose(rng, cumulative(self.world.activity), everyone, everyone + self.world.n_users)
        starts = self._starts(rng, person)
        session = np.repeat(np.arange(n_sessions), 1 + rng.poisson(MEAN_SIZE - 1, n_sessions))
        viewer, moment = person[session], starts[session]
        oldest = moment - int(LOOK_BACK * 1.5**attempt)
        kind = rng.random(viewer.size)
        evenness = 0.9**attempt
        author = np.where(kind < FOLLOWED_SHARE, self.audience.followed(rng, viewer), -1)
        tweet = self.by_author.draw(rng, author, oldest, moment, evenness)
        other = self.by_language.draw(rng, self.world.language[viewer], oldest, moment, evenness)
        tweet = np.where((tweet < 0) & (kind < FOLLOWED_SHARE + LANGUAGE_SHARE), other, tweet)
        anything = self.all.draw(rng, np.zeros_like(viewer), oldest, moment, evenness)
        tweet = np.where(tweet < 0, anything, tweet)
        return np.stack([tweet, viewer, moment, session])[:, tweet >= 0]

    def _starts(self, rng: np.random.Generator, person: Integers) -> Integers:
        """Draws when sessions begin: any day, about the hour at which the person is active."""
        day = rng.integers(0, self.window.days, person.size)
        hour = (self.world.active_hour[person] + rng.normal(0.0, HOURS_AROUND, person.size)) % 24
        return np.minimum(
            self.window.start + day * DAY + (hour * HOUR).astype(np.int64), self.window.end - SESSION_SECONDS
        )


class _Shelf:
    """Tweets in order of a key and of time."""

    def __init__(self, key: Integers, tweets: Tweets, window: Window) -> None:
        self.start, self.span = window.start, window.end - window.start + 1
        places = key * self.span + (tweets.timestamp - window.start)
        self.order = np.argsort(places, kind="stable")
        self.places = places[self.order]
        self.popularity: Floats = tweets.popularity[self.order]

    def draw(
        self, rng: np.random.Generator, key: Integers, oldest: Integers, before: Integers, evenness: float
    ) -> Integers:
        """Draws by popularity one tweet of each key (-1 = of none) written in [oldest, before); -1 if there is none."""
        low = np.searchsorted(self.places, key * self.span + np.maximum(oldest - self.start, 0))
        high = np.searchsorted(self.places, key * self.span + (before - self.start))
        found = (key >= 0) & (high > low)
        chosen = choose(rng, cumulative(self.popularity**evenness), np.where(found, low, 0), np.where(found, high, 1))
        return np.where(found, self.order[chosen], -1)
