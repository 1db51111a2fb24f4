"""What changes from day to day: the tastes of viewers, and how much each topic is shown and pulls."""

from dataclasses import dataclass

import numpy as np

from engage_pipeline.synthetic.draws import Floats, Integers, sigmoid
from engage_pipeline.synthetic.recipes import Switch
from engage_pipeline.synthetic.windows import DAY, MOST_DAYS, TRAINING_START

TURNS_FROM, TURNS_UNTIL = 3.0, 32.0
"""Days between which tastes move."""
DAY_KEPT, HEAT_STEP, PULL_STEP = 0.93, 0.25, 0.18
"""The share of yesterday's deviation that a topic keeps; standard deviations of a day's step, shown and pull."""
SPIKE_SHARE, SPIKE_HEAT, SPIKE_PULL = 0.04, 1.4, 0.9
"""Share of days on which a topic is hot; effects on the log of how much it is shown, and on engaging."""


@dataclass(frozen=True)
class Drift:
    """Arrays over days and topics, or over people (n). All is 0, or equal to before, where nothing drifts."""

    heat: Floats  # (days, topics) the log of how much more a topic's tweets are shown
    pull: Floats  # (days, topics) effect on engaging at all
    later_taste: Floats  # (n, tastes)
    turn: Floats  # (n) the day around which a viewer's taste moves
    pace: Floats  # (n) days that it takes

    def share_moved(self, viewer: Integers, moment: Integers) -> Floats:
        """Returns the share of the later taste at each moment (Unix seconds): 0 … 1."""
        days = (moment - TRAINING_START) / DAY
        return sigmoid((days - self.turn[viewer]) / self.pace[viewer])


def draw_drift(
    rng: np.random.Generator, switches: Switch, taste: Floats, community_taste: Floats, n_topics: int
) -> Drift:
    """Draws what drifts; `taste` (n, tastes) is that of people at first, `community_taste` that of communities."""
    n_users: int = taste.shape[0]
    later = community_taste[rng.integers(0, community_taste.shape[0], n_users)]
    later = later + 0.9 * rng.standard_normal(taste.shape) / np.sqrt(taste.shape[1])
    steps = rng.standard_normal((2, MOST_DAYS, n_topics))
    spikes = rng.random((MOST_DAYS, n_topics)) < SPIKE_SHARE
    walk = np.zeros((2, MOST_DAYS, n_topics))
    if Switch.TOPIC_DRIFT in switches:
        for day in range(1, MOST_DAYS):
            walk[:, day] = DAY_KEPT * walk[:, day - 1] + steps[:, day]
    hot = spikes * float(Switch.SPIKES in switches)
    return Drift(
        heat=HEAT_STEP * walk[0] + SPIKE_HEAT * hot,
        pull=PULL_STEP * walk[1] + SPIKE_PULL * hot,
        later_taste=later if Switch.MOVING_TASTES in switches else taste,
        turn=rng.uniform(TURNS_FROM, TURNS_UNTIL, n_users),
        pace=rng.uniform(0.3, 3.0, n_users),
    )
