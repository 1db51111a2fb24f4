"""Mean probabilities of engagements, each given what else happened in its row (marginals): the compiled loop."""

import numpy as np

from engage_pipeline.numerics.compilation import compiled


@compiled(error_model="numpy")
def add_chances(
    against: np.ndarray,
    owners: np.ndarray,
    factors: np.ndarray,
    shares: np.ndarray,
    happens: np.ndarray,
    fails: np.ndarray,
) -> None:
    """Adds the mean probability that something happens, and that it does not, to float64 [states, n].

    `against` float64 [engagements, nodes, n] are the odds against each engagement at each node, which counts `shares`
    [nodes]; those of a state are `factors` [states] times those of its engagement `owners` int64 [states]. Both are
    sums of positive numbers, which keep their digits however rare one is.
    """
    for state in range(len(happens)):
        for node in range(len(shares)):
            own = against[owners[state], node]
            for row in range(len(own)):
                odds = own[row] * factors[state]
                chance = shares[node] / (1 + odds)
                happens[state, row] += chance
                fails[state, row] += odds * chance
