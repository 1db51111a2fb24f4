"""What a viewer saw and did before a row in the same window: fatigue, momentum and conversations."""

from collections.abc import Callable

import numpy as np

from engage_pipeline.schema import TARGETS
from engage_pipeline.synthetic.draws import Flags, Floats, Integers
from engage_pipeline.synthetic.exposures import Exposures
from engage_pipeline.synthetic.recipes import Switch
from engage_pipeline.synthetic.windows import DAY
from engage_pipeline.synthetic.world import N_EFFECTS, World

MEMORY = 3 * DAY
"""Seconds after which impressions and replies are forgotten."""
FATIGUE, MOMENTUM, CONVERSATION = -0.6, 0.9, 1.6
"""Effects of one unit of log(1 + recent impressions of the author), of having liked the previous tweet of the session,
and of having replied to the author recently."""
LIKE, REPLY = TARGETS.index("like"), TARGETS.index("reply")
NEVER = -(2**60)

Draw = Callable[[Integers, Floats], Flags]
"""Draws what happens in some rows (m) with effects (m, 4), history included: bool (m, 4)."""


def recent_impressions(world: World, exposures: Exposures) -> Integers:
    """Returns how many tweets of the row's author the viewer saw in the three days before (n)."""
    pair = exposures.viewer * world.n_users + exposures.author
    order = np.lexsort((exposures.moment, pair))
    since = exposures.moment[order] - exposures.moment.min()
    span = since.max() + MEMORY + 1
    places = np.cumsum(np.diff(pair[order], prepend=-1) != 0) * span + since
    counts = np.empty(order.size, dtype=np.int64)
    counts[order] = np.searchsorted(places, places) - np.searchsorted(places, places - MEMORY)
    return counts


def add_fatigue(effects: Floats, world: World, exposures: Exposures) -> None:
    """Adds fatigue to the effect on engaging at all."""
    if Switch.FATIGUE in world.switches:
        effects[:, 0] += FATIGUE * np.log1p(recent_impressions(world, exposures))


class History:
    """The order of each viewer's rows, and for each row the previous one of its session and of its pair.

    Rows are gone through in rounds: the first rows of all viewers, then all second ones, and so on.
    """

    def __init__(self, world: World, exposures: Exposures) -> None:
        """Sorts the rows by viewer and time."""
        self.moment = exposures.moment
        self.switches = world.switches
        order = np.lexsort((exposures.place, exposures.moment, exposures.viewer))
        self.of_session = _previous(exposures.session, order)
        self.of_pair = _previous(exposures.viewer * world.n_users + exposures.author, order)
        viewer = exposures.viewer[order]
        starts = np.flatnonzero(np.diff(viewer, prepend=-1))
        turn = np.arange(viewer.size) - np.repeat(starts, np.diff(np.append(starts, viewer.size)))
        by_turn = np.argsort(turn, kind="stable")
        self.rounds = np.split(order[by_turn], np.cumsum(np.bincount(turn))[:-1])

    def simulate(self, effects: Floats, draw: Draw) -> tuple[Floats, Flags]:
        """Returns what history adds to the effects, and what happens, both (n, 4)."""
        n = self.moment.size
        added = np.zeros((n, N_EFFECTS))
        happens = np.zeros((n + 1, len(TARGETS)), dtype=bool)  # the last row is the previous one of first rows
        replied = np.full(n + 1, NEVER)  # when the viewer last replied to the author, up to and in this row
        for rows in self.rounds:
            before = replied[self.of_pair[rows]]
            added[rows] = self._added(happens[self.of_session[rows], LIKE], self.moment[rows] - before < MEMORY)
            happens[rows] = draw(rows, effects[rows] + added[rows])
            replied[rows] = np.where(happens[rows, REPLY], self.moment[rows], before)
        return added, happens[:n]

    def _added(self, liked: Flags, replied: Flags) -> Floats:
        added = np.zeros((liked.size, N_EFFECTS))
        if Switch.MOMENTUM in self.switches:
            added[:, 0] += MOMENTUM * liked
        if Switch.CONVERSATIONS in self.switches:
            added[:, 0] += CONVERSATION / 2 * replied
            added[:, REPLY] += CONVERSATION * replied
        return added


def has_history(switches: Switch) -> bool:
    """Tells whether labels depend on labels."""
    return bool(switches & (Switch.MOMENTUM | Switch.CONVERSATIONS))


def _previous(key: Integers, order: Integers) -> Integers:
    """Returns for each row the previous one of its key in `order`; the number of rows if there is none."""
    grouped = order[np.argsort(key[order], kind="stable")]
    previous = np.full(key.size, key.size)
    same = key[grouped[1:]] == key[grouped[:-1]]
    previous[grouped[1:][same]] = grouped[:-1][same]
    return previous
