"""The chance of an engagement is the product of two chances."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engage_pipeline.model.effects.outcomes import OUTCOMES, engagement_log_odds

ODDS = st.floats(-12, 12)


@given(st.lists(st.tuples(*[ODDS] * 5), min_size=1, max_size=5))
def test_equals_the_product_in_plain_arithmetic(rows: list[tuple[float, ...]]) -> None:
    found = engagement_log_odds(np.array(rows))
    for row, values in zip(rows, found, strict=True):
        some, *given_some = (1 / (1 + np.exp(-odds)) for odds in row)
        for chance, value in zip(given_some, values, strict=True):
            product = some * chance
            assert np.isclose(value, np.log(product / (1 - product)), atol=1e-4)


def test_stays_finite_where_a_chance_is_almost_0_or_1() -> None:
    assert np.isfinite(engagement_log_odds(np.array([[40.0] * 5, [-40.0] * 5, [800.0] * 5, [-800.0] * 5]))).all()


def test_any_engagement_comes_first() -> None:
    assert OUTCOMES == ("any", "like", "retweet", "retweet_with_comment", "reply")
