"""Which days are stray, by hand and against a plain search."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.numerics.stray_days import LONGEST_GAP, NO_DATE, in_window

FEBRUARY = (date(2021, 2, 4) - date(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("rows", "stray"),
    [
        ({FEBRUARY: 5, FEBRUARY + 1: 1}, []),
        ({NO_DATE: 90, FEBRUARY: 5}, [NO_DATE]),
        ({-1: 1, NO_DATE: 3, FEBRUARY: 4, FEBRUARY + 20: 1, 21990: 2}, [-1, NO_DATE, 21990]),
        ({-(2**31): 1, FEBRUARY: 2, 2**31 - 1: 1}, [-(2**31), 2**31 - 1]),
        ({NO_DATE: 3}, []),
        ({NO_DATE - 1: 2, NO_DATE: 9, NO_DATE + 1: 2}, [NO_DATE]),
        ({FEBRUARY: 3, FEBRUARY + LONGEST_GAP: 2}, []),
        ({FEBRUARY: 2, FEBRUARY + LONGEST_GAP + 1: 3}, [FEBRUARY]),
        ({FEBRUARY: 3, FEBRUARY + LONGEST_GAP + 1: 3}, [FEBRUARY + LONGEST_GAP + 1]),
    ],
)
def test_days_far_from_most_rows_are_stray(rows: dict[int, int], stray: list[int]) -> None:
    days = np.array(sorted(rows))
    found = in_window(days, np.array([rows[day] for day in days.tolist()]))
    assert days[~found].tolist() == stray


def plain(rows: dict[int, int]) -> set[int]:
    """The days of the window: every day joins that before it if that is near."""
    stretches: list[list[int]] = []
    for day in sorted(set(rows) - {NO_DATE}):
        if stretches and day - stretches[-1][-1] <= 28:
            stretches[-1].append(day)
        else:
            stretches.append([day])
    return set(max(stretches, key=lambda days: sum(rows[day] for day in days))) if stretches else set(rows)


@given(st.dictionaries(st.integers(-100, 300), st.integers(1, 50), min_size=1))
def test_the_window_is_that_of_a_plain_search(rows: dict[int, int]) -> None:
    days = np.array(sorted(rows))
    found = in_window(days, np.array([rows[day] for day in days.tolist()]))
    assert set(days[found].tolist()) == plain(rows)
