"""Which engagement days of a data set are stray: of rows whose time is missing or was written wrong.

A row of a stray day is a row like any other: counted, with features, trained on. Only work that goes by day leaves
it out, because a single row in 1969 or 2030 would else be a day of its own, or move the end of the window. What does
not belong here: whether a part has too many such rows (orchestration.checks.ingest).
"""

import numpy as np

NO_DATE = 0
"""The engagement day of rows without any time."""
LONGEST_GAP = 28
"""Days without a row within one window."""


def in_window(days: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which of the ascending, distinct `days` int64 [n], with so many `rows` each, lie in the window: bool [n].

    The window is the stretch with the most rows among those that more than LONGEST_GAP days separate, the first of
    equals. NO_DATE is in it only where there is no other day.
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
