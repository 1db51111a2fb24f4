"""Margins of the real data that the generator hits: quantiles and shares of 10 000 rows of the week of 2021-02-25."""

import numpy as np

from engage_pipeline.synthetic.draws import Floats

LEVELS = np.array([0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1])
AUTHOR_FOLLOWERS = np.array([4, 55, 192, 392, 1600, 13196, 184094, 1254023, 4214072, 17604835, 129448458.0])
VIEWER_FOLLOWERS = np.array([0, 1, 7, 16, 59, 204, 615, 1679, 3061, 10407, 434392.0])
AUTHOR_FOLLOWING = np.array([0, 1, 17, 64, 226, 656, 1774, 5094, 10458, 66794, 1142086.0])
VIEWER_FOLLOWING = np.array([2, 21, 49, 78, 168, 394, 891, 2076, 3398, 5966, 107154.0])
AUTHOR_AGE = np.array([69, 97, 210, 326, 791, 2127, 3646, 4310, 4453, 4910, 5264.0])
VIEWER_AGE = np.array([71, 84, 137, 213, 428, 1204, 2679, 3716, 4107, 4440, 5126.0])
"""Values at LEVELS, over rows; ages of accounts in days."""
N_TOKENS = np.array([3, 5, 11, 17, 26, 41, 60, 89, 105, 135, 238.0])
"""Lengths of texts at LEVELS, with [CLS] and [SEP]."""
LANGUAGE_SHARES = np.array(
    [
        3817,
        1676,
        835,
        803,
        632,
        350,
        345,
        222,
        211,
        160,
        154,
        129,
        77,
        73,
        72,
        61,
        56,
        43,
        39,
        33,
        24,
        24,
        21,
        17,
        14,
        13,
    ]
    + [9, 7, 7, 6, 6, 6, 5, 5, 4, 4, 4, 4, 3, 3, 3]
    + [2] * 7
    + [1] * 9
    + [0.5] * 9
)
"""Rows of each of 66 languages, the commonest first; the last nine were not among the 10 000."""
LANGUAGE_SHARES /= LANGUAGE_SHARES.sum()
HOUR_SHARES = np.array(
    [
        338,
        381,
        507,
        442,
        352,
        344,
        318,
        305,
        310,
        368,
        377,
        447,
        445,
        496,
        577,
        535,
        488,
        475,
        478,
        420,
        429,
        420,
        405,
        343.0,
    ]
)
"""Rows of each hour of the day, UTC."""


def at_levels(levels: Floats, quantiles: Floats) -> Floats:
    """Returns the values at `levels` (0 … 1), by logarithmic interpolation between the `quantiles` at LEVELS."""
    values: Floats = np.expm1(np.interp(levels, LEVELS, np.log1p(quantiles)))
    return values
