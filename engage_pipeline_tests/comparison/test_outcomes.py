"""Outcomes are kept whole and read back as they were."""

from dataclasses import replace
from pathlib import Path

import pytest

from engage_pipeline.comparison.outcomes import RunOutcome, outcome_path, read_outcome, write_outcome
from engage_pipeline.comparison.worlds import Variant, WorldSpec
from engage_pipeline.synthetic.recipes import Recipe
from engage_pipeline_tests.comparison.made import GOOD, WORLD, outcome

STRANGERS = WorldSpec(1000, 1, Variant.STRANGERS)


@pytest.mark.parametrize(
    "kept",
    [
        outcome("default", GOOD, seconds=5.0),
        RunOutcome(STRANGERS, "default", "k", {"a": [1]}, problem="no"),
        RunOutcome(replace(STRANGERS, kind=Recipe.NETWORK), "default", "k", {}, problem="no"),
    ],
)
def test_an_outcome_is_read_back_as_it_was(tmp_path: Path, kept: RunOutcome):
    write_outcome(tmp_path, kept)
    assert read_outcome(tmp_path, kept.world, kept.contender) == kept


def test_worlds_and_contenders_do_not_mix(tmp_path: Path):
    write_outcome(tmp_path, outcome("default", GOOD))
    assert read_outcome(tmp_path, STRANGERS, "default") is None
    assert read_outcome(tmp_path, WORLD, "synerise") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"world": 1}', "\x00"])
def test_what_is_no_outcome_is_missing(tmp_path: Path, content: str):
    path = outcome_path(tmp_path, WORLD, "default")
    path.parent.mkdir()
    path.write_text(content)
    assert read_outcome(tmp_path, WORLD, "default") is None
