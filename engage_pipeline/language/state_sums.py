"""Sums the hidden states of each token, compiled."""

import numpy as np

from engage_pipeline.numerics.compilation import compiled


@compiled()
def add_states(
    states: np.ndarray,
    ids: np.ndarray,
    lengths: np.ndarray,
    weights: np.ndarray,
    places: np.ndarray,
    units: float,
    room: float,
    sums: np.ndarray,
) -> bool:
    """Adds the hidden states of a batch to `sums` int64 [tokens, dim], as multiples of 1 / `units`.

    `states` float32 [tweets, longest, dim] and `ids` int64 [tweets, longest] are padded: a tweet's are the first of
    `lengths` int64 [tweets]. They count `weights` int64 [tweets] times. `places` int64 [vocabulary] are the rows of
    `sums` by token. Returns whether all multiples are within ± `room`; if not, `sums` is of no use.
    """
    outside = 0
    for tweet in range(len(lengths)):
        weight = weights[tweet]
        for place in range(lengths[tweet]):
            token = places[ids[tweet, place]]
            for one in range(states.shape[2]):
                multiple = np.rint(states[tweet, place, one] * units)
                outside += not abs(multiple) <= room  # NaN is not within, either
                sums[token, one] += np.int64(multiple) * weight
    return outside == 0
