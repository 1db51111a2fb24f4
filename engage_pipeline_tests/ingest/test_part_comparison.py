"""Parts with the same content, and parts with other label rates."""

import math

import numpy as np

from engage_pipeline.ingest.part_comparison import rate_shifts, same_content


def test_the_later_part_of_the_same_content_is_named_with_the_first() -> None:
    marks = {
        "a": {"raw 1", "typed 1"},
        "b": {"raw 2", "typed 2"},
        "c": {"raw 3", "typed 1"},
        "d": {"raw 1"},
        "e": {"typed 1"},
    }
    assert same_content(marks) == {"c": "a", "d": "a", "e": "a"}


def test_of_two_earlier_parts_with_the_same_content_the_first_is_named() -> None:
    assert same_content({"a": {"raw 1"}, "b": {"typed 2"}, "c": {"raw 1", "typed 2"}}) == {"c": "a"}


def test_the_z_of_a_shift_by_hand() -> None:
    rows = {"a": 1000, "b": 2000, "c": 3000}
    positives = {"a": {"like": 700, "reply": 30}, "b": {"like": 800, "reply": 60}, "c": {"like": 1200, "reply": 90}}
    found = rate_shifts(rows, positives, 0.25)
    assert found.keys() == {"a"}
    assert found["a"].keys() == {"like"}
    rate = found["a"]["like"]
    pooled = 2700 / 6000
    assert (rate.part, rate.rest) == (0.7, 0.4)
    assert math.isclose(rate.z, 0.3 / math.sqrt(pooled * (1 - pooled) * (1 / 1000 + 1 / 5000)))
    assert math.isclose(rate.change, 0.75)


def test_a_large_shift_of_few_rows_is_chance_and_a_small_one_of_many_is_tolerated() -> None:
    few = {"a": 20, "b": 20, "c": 20}
    assert rate_shifts(few, {"a": {"like": 12}, "b": {"like": 6}, "c": {"like": 7}}, 0.25) == {}
    many = dict.fromkeys("abc", 1_000_000)
    slightly = {"a": {"like": 440_000}, "b": {"like": 400_000}, "c": {"like": 400_000}}
    assert rate_shifts(many, slightly, 0.25) == {}
    assert rate_shifts(many, slightly, 0.05).keys() == {"a"}


def test_no_positive_at_all_and_parts_without_rows() -> None:
    rows = {"a": 1000, "b": 1000, "c": 1000, "d": 0}
    none = {"a": {"like": 400}, "b": {"like": 0}, "c": {"like": 390}, "d": {"like": 0}}
    found = rate_shifts(rows, none, 0.25)
    assert found.keys() == {"b"}
    assert math.isinf(found["b"]["like"].change)
    assert rate_shifts({"a": 1000}, {"a": {"like": 400}}, 0.25) == {}
    assert rate_shifts({}, {}, 0.25) == {}


def test_equal_parts_are_hardly_ever_told_of() -> None:
    rng = np.random.default_rng(5)
    rows = {f"part-{i:05}": 3000 for i in range(200)}
    positives = {
        part: {"like": int(rng.binomial(n, 0.4)), "reply": int(rng.binomial(n, 0.007))} for part, n in rows.items()
    }
    assert rate_shifts(rows, positives, 0.25) == {}
