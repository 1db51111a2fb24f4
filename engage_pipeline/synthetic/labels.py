"""Labels: who engages, how and when, and with which probability.

The viewer engages at all with probability `any`; the first kind of engagement is drawn from four by their pulls; each
other kind follows with a small constant probability. An engagement comes with a delay after the viewer saw the tweet
and is seen only if the window has not ended. So the exact probability of a label, which the oracle files hold, is:

    any x (first kind is e  +  first kind is another x EXTRAS[e]) x share of delays that end in time.

Where labels depend on earlier ones, it is the probability given all that happened before, unseen engagements included.
"""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.schema import TARGETS
from engage_pipeline.synthetic.draws import Flags, Floats, Integers, sigmoid
from engage_pipeline.synthetic.exposures import Exposures
from engage_pipeline.synthetic.history import History, has_history
from engage_pipeline.synthetic.recipes import Switch
from engage_pipeline.synthetic.windows import Window
from engage_pipeline.synthetic.world import N_EFFECTS, World

RATES = {"like": 0.397, "retweet": 0.0875, "retweet_with_comment": 0.0070, "reply": 0.029}
NONE_RATE = 0.503
EXTRAS = np.array([0.060, 0.030, 0.003, 0.008])
"""Probability of each of TARGETS in addition to another first kind; due to them, RATES + NONE_RATE exceed 1."""
MEDIAN_DELAYS = np.array([2_400.0, 3_600.0, 4_800.0, 1_800.0])
DELAY_SHAPE = 1.1
"""Delays are log-logistic: P(delay < x) = 1 / (1 + (median / x) ** shape), x in seconds."""
SESSION_MEDIAN = 60.0
"""The same in a session, for each of TARGETS."""
PROBIT_SCALE, LEAST_LINKED = 1.6, 1e-6
FIT_ROWS, FIT_ROUNDS, HISTORY_ROUNDS, SMALL_STEP = 60_000, 60, 4, 1e-4


@dataclass(frozen=True)
class Labels:
    """Arrays over rows and TARGETS (n, 4)."""

    probabilities: Floats
    timestamps: Integers
    """Unix seconds; 0 = no such engagement."""


class Engagements:
    """How probable engagements are and what happens, for rows with given effects."""

    def __init__(self, rng: np.random.Generator, world: World, exposures: Exposures, window: Window) -> None:
        """Draws the chance of each row; the same rows with the same effects have the same engagements."""
        self.exposures, self.switches = exposures, world.switches
        self.chance = rng.random((exposures.tweet.size, 2 + len(TARGETS)))
        self.delay_position = rng.random((exposures.tweet.size, len(TARGETS)))
        self.medians = SESSION_MEDIAN if Switch.SESSIONS in world.switches else MEDIAN_DELAYS
        left = np.maximum(window.seen_until - exposures.moment - 1, 0).astype(float)[:, None] ** DELAY_SHAPE
        self.in_time = left / (left + self.medians**DELAY_SHAPE)
        """The share (n, 4) of delays, at least one second, that end before the window does."""
        self.seen = self.in_time if Switch.CENSORING in world.switches else np.ones_like(self.in_time)
        self.history = History(world, exposures) if has_history(world.switches) else None

    def draw(self, rows: Integers, effects: Floats) -> Flags:
        """Draws which of TARGETS the viewers do in `rows`, bool (rows, 4), whether seen or not."""
        engages, first = choices(effects, self.switches)
        chance = self.chance[rows]
        upper = np.cumsum(first, axis=1)
        upper[:, -1] = 1.0
        lower = np.concatenate([np.zeros((len(first), 1)), upper[:, :-1]], axis=1)
        chosen = (chance[:, :1] >= lower) & (chance[:, :1] < upper)
        return (chance[:, 1] < engages)[:, None] & (chosen | (chance[:, 2:] < EXTRAS))

    def simulate(self, effects: Floats) -> tuple[Floats, Flags]:
        """Returns what history adds to `effects` (with intercepts), and what happens, both (n, 4)."""
        if self.history is not None:
            return self.history.simulate(effects, self.draw)
        return np.zeros_like(effects), self.draw(np.arange(len(effects)), effects)

    def labels(self, effects: Floats) -> Labels:
        """Returns the labels for `effects` (with intercepts)."""
        added, happens = self.simulate(effects)
        engages, first = choices(effects + added, self.switches)
        probabilities = engages[:, None] * (first + (1 - first) * EXTRAS) * self.seen
        position = self.delay_position
        if Switch.CENSORING not in self.switches:
            position = position * self.in_time
        delays = self.medians * (position / (1 - position)) ** (1 / DELAY_SHAPE)
        kept = happens & (position < self.in_time)
        moments = self.exposures.moment[:, None] + 1 + np.where(kept, delays, 0).astype(np.int64)
        return Labels(probabilities, np.where(kept, moments, 0))

    def fit_intercepts(self, effects: Floats) -> Floats:
        """Fits intercepts (4) with which the rows have NONE_RATE and the RATES; that of like follows from them."""
        intercepts = self._fitted(effects, np.zeros(N_EFFECTS))
        for _ in range(HISTORY_ROUNDS if self.history is not None else 0):
            added, _ = self.simulate(effects + intercepts)
            intercepts = self._fitted(effects + added, intercepts)
        return intercepts

    def _fitted(self, effects: Floats, intercepts: Floats) -> Floats:
        sample = slice(None, None, -(-effects.shape[0] // FIT_ROWS))
        effects, seen = effects[sample], self.seen[sample]
        wanted = np.array([1 - NONE_RATE, *(RATES[target] for target in TARGETS[1:])])
        for _ in range(FIT_ROUNDS):
            engages, first = choices(effects + intercepts, self.switches)
            rates = (engages[:, None] * (first + (1 - first) * EXTRAS) * seen).mean(axis=0)
            rates[0] = (engages * (first * seen).sum(axis=1)).mean()
            step = np.log(wanted / (1 - wanted)) - np.log(rates / (1 - rates))
            intercepts = intercepts + step
            if np.abs(step).max() < SMALL_STEP:
                break
        return intercepts


def choices(effects: Floats, switches: Switch) -> tuple[Floats, Floats]:
    """Returns the probability of engaging at all (n), and of each of TARGETS to be the first kind (n, 4)."""
    pulls = np.exp(np.concatenate([np.zeros((effects.shape[0], 1)), effects[:, 1:]], axis=1))
    engages = (linked if Switch.LINKS in switches else sigmoid)(effects[:, 0])
    return engages, pulls / pulls.sum(axis=1, keepdims=True)


def linked(effect: Floats) -> Floats:
    """Returns the mean of probit, complementary log-log and cauchit, within LEAST_LINKED of 0 and 1."""
    from scipy.special import ndtr

    probit, cauchit = ndtr(effect / PROBIT_SCALE), 0.5 + np.arctan(effect) / np.pi
    mean: Floats = (probit + cauchit - np.expm1(-np.exp(np.minimum(effect, 30.0)))) / 3
    return mean.clip(LEAST_LINKED, 1 - LEAST_LINKED)
