"""Accounts: followers, following, age and verification of people, so that authors and viewers have the real margins.

A person has the same account as author and as viewer. Those who write get the values of the authors' margin, by their
rank among the authors of rows. The others fill up what the viewers' margin then lacks.
"""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.synthetic import margins
from engage_pipeline.synthetic.draws import Flags, Floats, Integers, sigmoid, weighted_ranks
from engage_pipeline.synthetic.margins import at_levels
from engage_pipeline.synthetic.windows import DAY, TRAINING_DAYS, TRAINING_START
from engage_pipeline.synthetic.world import World

AGES_AT = TRAINING_START + TRAINING_DAYS * DAY
"""The moment to which the ages of margins belong."""
GRID = np.linspace(0.0, 1.0, 401)
VERIFIED_MOST, VERIFIED_FROM, VERIFIED_SLOPE = 0.62, 5.0, 2.2
"""The share of verified ones among the most followed; the log10 of followers at which it is halved; the slope there."""


@dataclass(frozen=True)
class Accounts:
    """Arrays over people (n)."""

    followers: Integers
    following: Integers
    verified: Flags
    created: Integers  # Unix seconds


def draw_accounts(rng: np.random.Generator, world: World, author: Integers, viewer: Integers) -> Accounts:
    """Draws the accounts of all people; `author` and `viewer` are those of a sample of rows."""
    written = np.bincount(author, minlength=world.n_users).astype(float)
    seen = np.bincount(viewer, minlength=world.n_users).astype(float)
    writes = world.authorship > 0
    noise = rng.standard_normal((3, world.n_users))
    contacts = np.where(writes, noise[0], 0.75 * world.fame + 0.66 * noise[0])

    def filled(score: Floats, authors: Floats, viewers: Floats) -> Floats:
        values = at_levels(weighted_ranks(score, written * writes), authors)
        values[~writes] = _rest(values[writes], seen[writes], score[~writes], seen[~writes], viewers)
        return values

    followers = filled(world.fame, margins.AUTHOR_FOLLOWERS, margins.VIEWER_FOLLOWERS)
    ages = filled(noise[1], margins.AUTHOR_AGE, margins.VIEWER_AGE)
    odds = VERIFIED_MOST * sigmoid(VERIFIED_SLOPE * (np.log10(followers + 1) - VERIFIED_FROM))
    return Accounts(
        followers=np.rint(followers).astype(np.int64),
        following=np.rint(filled(contacts, margins.AUTHOR_FOLLOWING, margins.VIEWER_FOLLOWING)).astype(np.int64),
        verified=rng.random(world.n_users) < odds,
        created=AGES_AT - (ages * DAY).astype(np.int64),
    )


def _rest(taken: Floats, taken_rows: Floats, score: Floats, rows: Floats, quantiles: Floats) -> Floats:
    """Returns values by rank of `score`, so that with those `taken` the margin of all rows has these `quantiles`."""
    grid = at_levels(GRID, quantiles)
    below = np.searchsorted(grid, taken, side="left").clip(1, grid.size - 1)
    steps = np.diff(GRID) * (taken_rows.sum() + rows.sum())
    steps -= np.bincount(below - 1, weights=taken_rows, minlength=steps.size)
    wanted = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.maximum.accumulate(wanted).clip(0.0, None)  # where authors are too many already, the others have none
    levels = wanted / max(wanted[-1], 1e-12)
    values: Floats = np.expm1(np.interp(weighted_ranks(score, rows), levels, np.log1p(grid)))
    return values
