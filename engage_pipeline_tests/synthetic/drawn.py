"""A small world and its rows as arrays, before any text."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engage_pipeline.synthetic.audience import Audience
from engage_pipeline.synthetic.draws import Floats
from engage_pipeline.synthetic.effects import fixed_effects
from engage_pipeline.synthetic.exposures import Exposures, draw_exposures
from engage_pipeline.synthetic.labels import Engagements, Labels
from engage_pipeline.synthetic.recipes import Recipe, Switch
from engage_pipeline.synthetic.tweets import ROWS_PER_TWEET, Tweets, draw_tweets
from engage_pipeline.synthetic.windows import Window
from engage_pipeline.synthetic.world import World, build_world

FOLLOWS_FROM = 1.0
PLAIN = Recipe.PLAIN.switches
TRAINING = Window(0, 21, 12_000)


@dataclass(frozen=True)
class Drawn:
    """One window of a world; worlds of equal sizes have the same people and tweets whatever the switches."""

    switches: Switch = PLAIN
    users: int = 1_000
    window: Window = TRAINING
    seed: int = 5

    def rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream])

    @cached_property
    def world(self) -> World:
        return build_world(self.rng(0), self.users, self.switches)

    @cached_property
    def tweets(self) -> Tweets:
        return draw_tweets(self.rng(1), self.world, self.window)

    @cached_property
    def exposures(self) -> Exposures:
        audience = Audience(self.rng(2), self.world, self.window.rows / ROWS_PER_TWEET)
        return draw_exposures(self.rng(3), self.world, audience, self.tweets, self.window)

    @cached_property
    def effects(self) -> Floats:
        """Without intercepts."""
        return fixed_effects(self.rng(4), self.world, self.tweets, self.exposures, FOLLOWS_FROM)

    @cached_property
    def engagements(self) -> Engagements:
        return Engagements(self.rng(5), self.world, self.exposures, self.window)

    @cached_property
    def labels(self) -> Labels:
        return self.engagements.labels(self.effects + self.engagements.fit_intercepts(self.effects))
