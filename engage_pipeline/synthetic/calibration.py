"""Calibration: a trial of a world, in which rates, follows and accounts are set to the real margins."""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.synthetic.accounts import Accounts, draw_accounts
from engage_pipeline.synthetic.audience import Audience
from engage_pipeline.synthetic.draws import Floats
from engage_pipeline.synthetic.effects import fixed_effects
from engage_pipeline.synthetic.exposures import draw_exposures
from engage_pipeline.synthetic.history import add_fatigue
from engage_pipeline.synthetic.labels import Engagements
from engage_pipeline.synthetic.tweets import draw_tweets
from engage_pipeline.synthetic.windows import EVALUATION_DAYS, TRAINING_DAYS, Window
from engage_pipeline.synthetic.world import World

FOLLOWS_SHARE = 0.3527
TRIAL_ROWS, MIN_TRIAL_DAYS = 120_000, 3
"""A trial has fewer days instead of more rows: viewers see as much on a day as in the world's windows."""


@dataclass(frozen=True)
class Calibration:
    """What is set by the trial, the same in all windows."""

    follows_from: float  # the bond from which on the author follows the viewer
    intercepts: Floats  # (effects)
    accounts: Accounts


def calibrate(rng: np.random.Generator, world: World, audience: Audience, rows: int) -> Calibration:
    """Draws a trial window of a world that has `rows` rows in 28 days, and sets what is free by it."""
    tweets_rng, exposures_rng, labels_rng, accounts_rng = rng.spawn(4)
    all_days = TRAINING_DAYS + EVALUATION_DAYS
    days = min(all_days, max(MIN_TRIAL_DAYS, all_days * TRIAL_ROWS // rows))
    window = Window(all_days - days, days, rows * days // all_days, grace=1)
    tweets = draw_tweets(tweets_rng, world, window)
    exposures = draw_exposures(exposures_rng, world, audience, tweets, window)
    follows_from = float(np.quantile(exposures.bond, 1 - FOLLOWS_SHARE))
    effects = fixed_effects(labels_rng, world, tweets, exposures, follows_from)
    add_fatigue(effects, world, exposures)
    return Calibration(
        follows_from=follows_from,
        intercepts=Engagements(labels_rng, world, exposures, window).fit_intercepts(effects),
        accounts=draw_accounts(accounts_rng, world, exposures.author, exposures.viewer),
    )
