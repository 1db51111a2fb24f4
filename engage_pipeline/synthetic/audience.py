"""The people who see most of an author's tweets, drawn once and kept in all windows."""

import numpy as np

from engage_pipeline.synthetic.draws import Floats, Integers, choose, cumulative, skewed
from engage_pipeline.synthetic.world import World


class Audience:
    """`size` people for each author, from `start` on in `people`; and for each person the authors it follows so."""

    def __init__(self, rng: np.random.Generator, world: World, n_tweets: float) -> None:
        """Draws larger audiences for authors who write more; `n_tweets` are those that all write in four weeks."""
        writes = world.authorship > 0
        written = world.authorship / world.authorship.sum() * n_tweets
        self.size = np.where(writes, (4 + 1.2 * written).astype(np.int64).clip(max=world.n_users), 0)
        self.start = np.cumsum(self.size) - self.size
        owner = np.repeat(np.arange(world.n_users), self.size)
        self.people = neighbours(rng, world, owner, world.activity, widely=0.2)
        order = np.argsort(self.people, kind="stable")
        self.authors = owner[order]
        self.bounds = np.searchsorted(self.people[order], np.arange(world.n_users + 1))

    def viewers(self, rng: np.random.Generator, author: Integers) -> Integers:
        """Draws one person of each author's audience, the first ones more often."""
        return self.people[self.start[author] + skewed(rng, self.size[author], 1.7)]

    def followed(self, rng: np.random.Generator, viewer: Integers) -> Integers:
        """Draws one author of whose audience each viewer is; -1 if there is none."""
        count = self.bounds[viewer + 1] - self.bounds[viewer]
        place = (self.bounds[viewer] + skewed(rng, count, 1.0)).clip(max=self.authors.size - 1)
        return np.where(count > 0, self.authors[place], -1)


def neighbours(rng: np.random.Generator, world: World, person: Integers, weight: Floats, *, widely: float) -> Integers:
    """Draws someone of each person's community, or with probability `widely` any speaker of the person's language."""
    community, language = world.community[person], world.language[person]
    wide = rng.random(person.size) < widely
    low = np.where(wide, world.language_bounds[language], world.community_bounds[community])
    high = np.where(wide, world.language_bounds[language + 1], world.community_bounds[community + 1])
    return choose(rng, cumulative(weight), low, high)
