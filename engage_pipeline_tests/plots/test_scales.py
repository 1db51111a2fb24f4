"""Scales put values where hand arithmetic puts them, and ticks are round and few."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engage_pipeline.plots import scales
from engage_pipeline.plots.scales import Scale


def test_an_even_scale_divides_evenly() -> None:
    scale = Scale(10, 30, False, 100, 0)
    assert scale([10, 15, 30, 40]).tolist() == [100, 75, 0, -50]


def test_a_logarithmic_scale_gives_each_factor_the_same_room() -> None:
    scale = Scale(0.01, 100, True, 0, 200)
    assert scale([0.01, 0.1, 1, 100]).tolist() == pytest.approx([0, 50, 100, 200])
    assert np.isnan(scale([0, -1])).all()


@pytest.mark.parametrize(
    ("low", "high", "most", "whole", "ticks"),
    [
        (0, 10, 6, False, [0, 2, 4, 6, 8, 10]),
        (0, 10, 5, False, [0, 5, 10]),
        (-0.9, 0.02, 6, False, [-0.8, -0.6, -0.4, -0.2, 0]),
        (11.66, 11.71, 6, False, [11.66, 11.67, 11.68, 11.69, 11.70, 11.71]),
        (0.5, 2.5, 9, True, [1, 2]),
        (0, 60_000, 4, True, [0, 20_000, 40_000, 60_000]),
    ],
)
def test_even_ticks_are_steps_of_1_2_or_5(low: float, high: float, most: int, whole: bool, ticks: list[float]) -> None:
    assert Scale(low, high, False, 0, 1).ticks(most, whole=whole) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0.004, 0.6, 9, [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]),
        (0.004, 0.6, 3, [0.01, 0.1]),
        (1, 1e8, 4, [1, 1e3, 1e6]),
        (0.3, 0.4, 6, [0.3, 0.32, 0.34, 0.36, 0.38, 0.4]),
    ],
)
def test_logarithmic_ticks_are_1_2_and_5_or_powers_of_ten(
    low: float, high: float, most: int, ticks: list[float]
) -> None:
    assert Scale(low, high, True, 0, 1).ticks(most) == pytest.approx(ticks)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.booleans(), st.booleans(), st.integers(2, 12))
def test_ticks_are_few_and_within(low: float, high: float, logarithmic: bool, whole: bool, most: int) -> None:
    assume(high > 1.001 * low)
    ticks = Scale(low, high, logarithmic, 0, 1).ticks(most, whole=whole)
    assert len(ticks) <= most
    assert ticks == sorted(set(ticks))
    assert all(low - 1e-6 * high <= tick <= high * (1 + 1e-6) for tick in ticks)
    assert ticks or whole or high / low < 1.1


def test_limits_leave_a_margin_but_not_below_the_foot_of_bars() -> None:
    assert scales.limits([0, 100], logarithmic=False) == (-4, 104)
    assert scales.limits([0, 100], logarithmic=False, edge=0) == (0, 104)
    low, high = scales.limits([0, 1, 100, math.nan], logarithmic=True)
    assert low == pytest.approx(1 / 100**0.04)
    assert high == pytest.approx(100 * 100**0.04)


@pytest.mark.parametrize("values", [[], [0], [5], [-5], [math.nan]])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_scale_of_little_data_is_no_point(values: list[float], logarithmic: bool) -> None:
    low, high = scales.limits(values, logarithmic=logarithmic)
    assert low < high
    assert all(low <= value <= high for value in values if value > 0 or (math.isfinite(value) and not logarithmic))


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (500, "500"), (1500, "1.5k"), (20_000, "20k"), (3_000_000, "3M"), (0.3 - 0.1, "0.2")]
)
def test_counts_are_short(value: float, shown: str) -> None:
    assert scales.short_count(value) == shown


def test_shares_are_percent_with_as_many_digits_as_necessary() -> None:
    assert [scales.percent(share) for share in (0.07, 0.5, 1, 0.00025)] == ["7 %", "50 %", "100 %", "0.025 %"]
