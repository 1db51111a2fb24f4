"""Stray engagement days of a data set: those of rows whose time is missing or wrong.

A row of a stray day is counted, gets features and is trained on like any other. Only work by day leaves it out: a
single row in 1969 or 2030 would be a day of its own, or move the end of the window. What does not belong here: whether
a part has too many such rows (orchestration.checks.ingest).
"""

import numpy as np

NO_DATE = 0
"""The engagement day of rows without any time."""
LONGEST_GAP = 28
"""The most days between neighbouring days with rows of one window."""


def in_window(days: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns which of the ascending, distinct `days` int64 [n] are in the window, bool [n]; `rows` [n] per day.

    Gaps of more than LONGEST_GAP days separate stretches; the window is the stretch with the most rows, the first of
    ties. NO_DATE is in it only if there is no other day.
    """
    dated = days != NO_DATE
    if not dated.any():
        return np.ones(len(days), np.bool_)
    known = days[dated].astype(np.int64)
    stretch = np.cumsum(np.diff(known, prepend=known[0]) > LONGEST_GAP)
    sizes = np.bincount(stretch, weights=rows[dated])
    found = np.zeros(len(days), np.bool_)
    found[np.flatnonzero(dated)] = stretch == sizes.argmax()
    return found
