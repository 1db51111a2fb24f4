"""Words for several things."""

import pytest

from engage_pipeline.plurals import first_few, grouped


@pytest.mark.parametrize(("count", "said"), [(0, ""), (1, "p0"), (2, "p0, p1"), (3, "p0, p1 and 1 more")])
def test_the_first_names_and_how_many_more(count: int, said: str) -> None:
    assert first_few([f"p{number}" for number in range(count)], 2) == said


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        ({}, ""),
        ({"": "no space"}, "no space"),
        ({"p0": "p0.gz: empty"}, "p0: p0.gz: empty"),
        ({"p0": "empty", "p1": "damaged", "p2": "empty"}, "p0, p2: empty; p1: damaged"),
        (
            {"p0": "in/p0: empty", "p1": "in/p1.gz: empty", "p2": "in/p2: empty"},
            "p0, p2: in/…: empty; p1: in/p1.gz: empty",
        ),
        ({"p0": "no store", "": "no store", "p1": "no store"}, "p0, p1: no store"),
        ({f"p{number}": "empty" for number in range(8)}, "p0, p1, p2, p3, p4 and 3 more: empty"),
    ],
)
def test_equal_problems_are_said_once(problems: dict[str, str], said: str) -> None:
    assert grouped(problems) == said
