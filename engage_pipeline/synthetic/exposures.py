"""Exposures: the tweet and the viewer of each row, when the viewer sees it, and the properties of the pair.

Most views of an author come from the author's own audience, drawn once from the author's community (and partly from all
speakers of the language), so that pairs recur and neighbouring authors share followers. The other views come from
passers-by and from authors of the same community, who appear in both roles. With Switch.SESSIONS the viewers come in
sessions instead (sessions).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engage_pipeline.errors import UserError
from engage_pipeline.synthetic.audience import Audience, neighbours
from engage_pipeline.synthetic.draws import Floats, Integers, choose, cumulative, lasting_normals
from engage_pipeline.synthetic.recipes import Switch
from engage_pipeline.synthetic.sessions import Feed
from engage_pipeline.synthetic.tweets import Tweets
from engage_pipeline.synthetic.windows import DAY, TRAINING_START, Window
from engage_pipeline.synthetic.world import N_EFFECTS, World

AUDIENCE_SHARE, FELLOW_SHARE = 0.66, 0.17
"""Shares of the views by the author's audience, and by other authors of the community. The rest are passers-by."""
SECONDS_A_TWEET = 12
MAX_ROUNDS = 60


@dataclass(frozen=True)
class Exposures:
    """Arrays over rows (n) of one window, in the order of the files."""

    tweet: Integers
    viewer: Integers
    author: Integers
    moment: Integers  # Unix seconds at which the viewer sees the tweet
    session: Integers  # a number per session; without sessions each row is one of its own
    place: Integers  # 0, 1, … within the session, in order of time
    bond: Floats  # the more, the likelier the author follows the viewer; equal for rows of one pair
    pair_effect: Floats  # (n, effects), normal of variance 1, equal for rows of one pair


def draw_exposures(
    rng: np.random.Generator, world: World, audience: Audience, tweets: Tweets, window: Window
) -> Exposures:
    """Draws the window's distinct (tweet, viewer) rows in random order. Raises UserError if the users are too few."""
    if Switch.SESSIONS in world.switches:
        views = _distinct(rng, world, tweets, window, Feed(world, audience, tweets, window).views)
    else:
        views = _distinct(rng, world, tweets, window, _Passing(world, audience, tweets).views)
    tweet, viewer, moment, session = views[:, rng.permutation(window.rows)]
    place = _places(session)
    author = tweets.author[tweet]
    pair = lasting_normals(world.salt, author * world.n_users + viewer, N_EFFECTS + 1)
    bond = pair[:, 0] + 0.6 * pair[:, -1] + 0.4 * world.author_effect[author, 0] - 0.2 * world.fame[author]
    bond += 0.9 * (world.community[author] == world.community[viewer])
    return Exposures(
        tweet=tweet,
        viewer=viewer,
        author=author,
        moment=moment + SECONDS_A_TWEET * place,
        session=session,
        place=place,
        bond=bond,
        pair_effect=pair[:, :N_EFFECTS],
    )


class _Passing:
    """Views without sessions: a tweet is drawn by its popularity, then who sees it, when it is written."""

    def __init__(self, world: World, audience: Audience, tweets: Tweets) -> None:
        self.world, self.audience, self.tweets = world, audience, tweets

    def views(self, rng: np.random.Generator, count: int, attempt: int) -> Integers:
        """Draws `count` views, more evenly in each attempt: tweet, viewer, moment, session (4, count)."""
        running = cumulative(self.tweets.popularity ** (0.9**attempt))
        bounds = np.zeros(count, dtype=np.int64)
        tweet = choose(rng, running, bounds, bounds + self.tweets.author.size)
        viewer = self._viewers(rng, self.tweets.author[tweet], everyone=0.05 * attempt)
        return np.stack([tweet, viewer, self.tweets.timestamp[tweet], np.arange(count)])

    def _viewers(self, rng: np.random.Generator, author: Integers, *, everyone: float) -> Integers:
        world = self.world
        kind = rng.random(author.size)
        passing = neighbours(rng, world, author, world.activity, widely=0.5)
        fellow = neighbours(rng, world, author, world.authorship * world.curiosity + 1e-12, widely=0.0)
        viewer = np.where(kind < AUDIENCE_SHARE + FELLOW_SHARE, fellow, passing)
        viewer = np.where(kind < AUDIENCE_SHARE, self.audience.viewers(rng, author), viewer)
        anyone = rng.integers(0, world.n_users, author.size)
        return np.where(rng.random(author.size) < everyone, anyone, viewer)


def _distinct(
    rng: np.random.Generator,
    world: World,
    tweets: Tweets,
    window: Window,
    draw: Callable[[np.random.Generator, int, int], Integers],
) -> Integers:
    """Draws views until there are `window.rows` with distinct (tweet, viewer): (4, rows)."""
    views = np.zeros((4, 0), dtype=np.int64)
    for attempt in range(MAX_ROUNDS):
        drawn = draw(rng, int((window.rows - views.shape[1]) * 1.25) + 10, attempt)
        tweet, viewer, moment, session = drawn
        session += views[3].max(initial=-1) + 1
        allowed = (viewer != tweets.author[tweet]) & (moment < window.end)
        allowed &= world.arrival[viewer] <= (moment - TRAINING_START) // DAY
        views = np.concatenate([views, drawn[:, allowed]], axis=1)
        first = np.unique(views[0] * world.n_users + views[1], return_index=True)[1]
        views = views[:, np.sort(first)]
        if views.shape[1] >= window.rows:
            return views[:, : window.rows]
    raise UserError(f"users: {world.n_users} is too few for {window.rows:,} rows, each a different tweet and viewer")


def _places(session: Integers) -> Integers:
    """Returns each row's place in its session, in the order of the rows: 0, 1, …"""
    order = np.argsort(session, kind="stable")
    ordered = session[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    places = np.empty(session.size, dtype=np.int64)
    places[order] = np.arange(session.size) - np.repeat(starts, np.diff(np.append(starts, session.size)))
    return places
