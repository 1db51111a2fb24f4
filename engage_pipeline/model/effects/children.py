"""The inner loops of what nested effects exchange, compiled (nesting): keys that are nested are children.

Keys are float32 [keys, 8] as in kernels. What does not belong here: which keys are nested.
"""

import numpy as np

from engage_pipeline.model.effects import lanes
from engage_pipeline.model.effects.kernels import K
from engage_pipeline.model.effects.lanes import LANES
from engage_pipeline.numerics.compilation import compiled
from engage_pipeline.numerics.fours import add_to, product_of, wide_of, write_to

_compiled = compiled(error_model="numpy")


@_compiled
def sum_children(parents: np.ndarray, keys: np.ndarray, counts: np.ndarray, totals: np.ndarray) -> None:
    """Adds 1 and the mean of each key to `counts` [coarse] and `totals` [coarse, 4] of its parent; 0 is none."""
    for key in range(len(keys)):
        counts[parents[key]] += 1
        add_to(totals, parents[key], wide_of(keys, key))


@_compiled
def take_from_totals(parents: np.ndarray, others: np.ndarray, shifts: np.ndarray, totals: np.ndarray) -> None:
    """Subtracts the shift [coarse, 4] of each key's parent among `others` from `totals` of its parent of `parents`."""
    for key in range(len(parents)):
        add_to(totals, parents[key], product_of(-1.0, wide_of(shifts, others[key])))


def shift_parents(
    counts: np.ndarray,
    totals: np.ndarray,
    keys: np.ndarray,
    fine: np.ndarray,
    coarse: np.ndarray,
    shifts: np.ndarray,
) -> None:
    """Adds to the means of each of `keys`, of a coarse effect, what it takes over from its children; writes it into
    `shifts` float32 [coarse, 4]. The first key, and its shift, are left as they are.

    `fine` and `coarse` float64 [4, 4] are inverse covariances: of shifts s, (mean + s)' coarse (mean + s) and the sum
    of (child - s)' fine (child - s) over the children are least together.
    """
    shifts[1:] = 0
    parents = 1 + np.flatnonzero(counts[1:])
    work, matrix = np.zeros(lanes.N_LINES * LANES), np.zeros((K, K))
    _shift_parents(parents, counts, totals, keys, fine, coarse, shifts, work, matrix)


@_compiled
def _shift_parents(
    parents: np.ndarray,
    counts: np.ndarray,
    totals: np.ndarray,
    keys: np.ndarray,
    fine: np.ndarray,
    coarse: np.ndarray,
    shifts: np.ndarray,
    work: np.ndarray,
    matrix: np.ndarray,
) -> None:
    for lane in range(LANES):
        lanes.put(work, lanes.MATRIX, lane, (1.0, 1.0, 1.0, 1.0))  # a lane without a key has a factor, too
    for first in range(0, len(parents), LANES):
        count = min(LANES, len(parents) - first)
        for lane in range(count):
            key = parents[first + lane]
            for i in range(K):
                right = 0.0
                for j in range(K):
                    right += fine[i, j] * totals[key, j] - coarse[i, j] * keys[key, j]
                    matrix[i, j] = counts[key] * fine[i, j] + coarse[i, j]
                work[(lanes.RIGHT + i) * LANES + lane] = right
            lanes.put_below(work, lane, matrix)
            lanes.put(work, lanes.MATRIX, lane, (matrix[0, 0], matrix[1, 1], matrix[2, 2], matrix[3, 3]))
        lanes.factor(work)
        lanes.solve(work)
        for lane in range(count):
            shift = lanes.get(work, lanes.SOLUTION, lane)
            add_to(keys, parents[first + lane], shift)
            write_to(shifts, parents[first + lane], shift)


@_compiled
def take_from_children(parents: np.ndarray, keys: np.ndarray, shifts: np.ndarray) -> None:
    """Subtracts the shift [coarse, 4] of its parent from the mean of each key."""
    for key in range(len(keys)):
        add_to(keys, key, product_of(-1.0, wide_of(shifts, parents[key])))
