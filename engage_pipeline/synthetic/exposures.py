"""Exposures: the tweet and the viewer of each row, and the properties of the pair.

Most views of an author come from the author's own audience, drawn once from the author's community (and partly from all
speakers of the language), so that pairs recur and neighbouring authors share followers. The other views come from
passers-by and from authors of the same community, who appear in both roles.
"""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.errors import UserError
from engage_pipeline.synthetic.draws import Flags, Floats, Integers, choose, cumulative, one_per, skewed
from engage_pipeline.synthetic.tweets import Tweets
from engage_pipeline.synthetic.world import N_EFFECTS, World

AUDIENCE_SHARE, FELLOW_SHARE = 0.66, 0.06
"""Shares of the views by the author's audience, and by other authors of the community. The rest are passers-by."""
FOLLOWS_SHARE = 0.35
AUTHOR_FOLLOWERS, VIEWER_FOLLOWERS = 13_000, 200
"""Medians over the rows."""
MAX_ROUNDS = 60


@dataclass(frozen=True)
class Exposures:
    """Arrays over rows (n), those of the training window first, in the order of the files."""

    tweet: Integers
    viewer: Integers
    author: Integers
    follows: Flags
    pair_effect: Floats  # (n, effects), normal of variance 1, equal for rows of one pair
    followers: Integers  # over people, not rows
    verified: Flags  # over people


def draw_exposures(
    rng: np.random.Generator, world: World, tweets: Tweets, training_rows: int, evaluation_rows: int
) -> Exposures:
    """Draws distinct (tweet, viewer) rows, `training_rows` and `evaluation_rows`; every slice of them has all days."""
    audience = _Audience(rng, world, tweets)
    windows = (
        (0, tweets.n_training, training_rows, False),
        (tweets.n_training, tweets.author.size, evaluation_rows, True),
    )
    drawn = [_window(rng, world, tweets, audience, *window) for window in windows]
    tweet, viewer = (np.concatenate(column) for column in zip(*drawn, strict=True))
    author = tweets.author[tweet]
    pair_draws, pair = one_per(rng, author * world.n_users + viewer, N_EFFECTS + 1)
    followers = _followers(rng, world, author, viewer)
    bond = pair_draws[pair, 0] + 0.6 * pair_draws[pair, -1] + 0.4 * world.author_effect[author, 0]
    bond += 0.9 * (world.community[author] == world.community[viewer]) - 0.1 * np.log1p(followers)[author]
    return Exposures(
        tweet=tweet,
        viewer=viewer,
        author=author,
        follows=bond > np.quantile(bond, 1 - FOLLOWS_SHARE),
        pair_effect=pair_draws[pair, :N_EFFECTS],
        followers=followers,
        verified=rng.random(world.n_users) < 0.7 / (1 + np.exp(-2.2 * (np.log10(followers + 1) - 5.0))),
    )


class _Audience:
    """The people who see most of an author's tweets: `size` of them, from `start` on in `people`."""

    def __init__(self, rng: np.random.Generator, world: World, tweets: Tweets) -> None:
        """Draws larger audiences for authors who write more."""
        written = np.bincount(tweets.author, minlength=world.n_users)
        self.size = np.where(written > 0, (4 + 1.2 * written).astype(np.int64).clip(max=world.n_users), 0)
        self.start = np.cumsum(self.size) - self.size
        owner = np.repeat(np.arange(world.n_users), self.size)
        self.people = _neighbours(rng, world, owner, world.activity, widely=0.2)

    def draw(self, rng: np.random.Generator, author: Integers) -> Integers:
        """Draws one person of each author's audience, the first ones more often."""
        return self.people[self.start[author] + skewed(rng, self.size[author], 1.7)]


def _neighbours(rng: np.random.Generator, world: World, person: Integers, weight: Floats, *, widely: float) -> Integers:
    """Draws someone of each person's community, or with probability `widely` any speaker of the person's language."""
    community, language = world.community[person], world.language[person]
    wide = rng.random(person.size) < widely
    low = np.where(wide, world.language_bounds[language], world.community_bounds[community])
    high = np.where(wide, world.language_bounds[language + 1], world.community_bounds[community + 1])
    return choose(rng, cumulative(weight), low, high)


def _window(
    rng: np.random.Generator,
    world: World,
    tweets: Tweets,
    audience: _Audience,
    first: int,
    end: int,
    rows: int,
    newcomers: bool,
) -> tuple[Integers, Integers]:
    """Draws distinct rows of the tweets `first` … `end` - 1, more evenly in each round until there are enough."""
    keys = np.zeros(0, dtype=np.int64)
    for attempt in range(MAX_ROUNDS):
        count = int((rows - keys.size) * 1.25) + 10
        running = cumulative(tweets.popularity[first:end] ** (0.9**attempt))
        bounds = np.zeros(count, dtype=np.int64)
        tweet = first + choose(rng, running, bounds, bounds + (end - first))
        viewer = _viewers(rng, world, audience, tweets.author[tweet], everyone=0.05 * attempt)
        allowed = viewer != tweets.author[tweet]
        if not newcomers:
            allowed &= ~world.newcomer[viewer]
        drawn = np.concatenate([keys, (tweet * world.n_users + viewer)[allowed]])
        keys = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
        if keys.size >= rows:
            keys = rng.permutation(keys[:rows])
            return keys // world.n_users, keys % world.n_users
    raise UserError(f"users: {world.n_users} is too few for {rows:,} rows, each a different tweet and viewer")


def _viewers(
    rng: np.random.Generator, world: World, audience: _Audience, author: Integers, *, everyone: float
) -> Integers:
    kind = rng.random(author.size)
    passing = _neighbours(rng, world, author, world.activity, widely=0.5)
    fellow = _neighbours(rng, world, author, world.authorship + 1e-12, widely=0.0)
    viewer = np.where(kind < AUDIENCE_SHARE + FELLOW_SHARE, fellow, passing)
    viewer = np.where(kind < AUDIENCE_SHARE, audience.draw(rng, author), viewer)
    anyone = rng.integers(0, world.n_users, author.size)
    return np.where(rng.random(author.size) < everyone, anyone, viewer)


def _followers(rng: np.random.Generator, world: World, author: Integers, viewer: Integers) -> Integers:
    """Draws the follower counts of all people, scaled to AUTHOR_FOLLOWERS and VIEWER_FOLLOWERS, the rows' medians."""
    writes = world.authorship > 0
    fame = 0.8 * np.log(np.where(writes, world.authorship, 1.0)) + rng.normal(0.0, 2.2, world.n_users)
    logs = np.where(writes, fame, rng.normal(0.0, 1.5, world.n_users))
    logs[writes] += np.log(AUTHOR_FOLLOWERS) - np.median(logs[author])
    target = np.log(VIEWER_FOLLOWERS)
    seen = logs[viewer]
    others = ~writes[viewer]
    if others.any():
        wanted_below = viewer.size / 2 - np.count_nonzero(seen[~others] < target)
        share_below = np.clip(wanted_below / np.count_nonzero(others), 0.0, 1.0)
        logs[~writes] += target - np.quantile(seen[others], share_below)
    return np.exp(logs).clip(0, 120_000_000).astype(np.int64)
