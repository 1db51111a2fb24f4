"""A check that passes says the figure that it found and the limit that it is held to."""

import re
from pathlib import Path

import dagster as dg
import pytest

from engage_pipeline.catalogue import ARTIFACTS, setting_value
from engage_pipeline.orchestration.checks.deletions import judge
from engage_pipeline.orchestration.checks.finding import LOOKS, limits_in_words
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.rules import stage_rules
from engage_pipeline_tests import worlds
from engage_pipeline_tests.orchestration.checks.looking import look

LIMIT = re.compile(r"; (none|no|each|every) .*\b(may|must)\b|\([a-z_.A-Z]+( = .+)?\)$")
"""Either the words of a limit that no setting moves, or settings with their values."""


def test_limits_are_settings_with_their_values() -> None:
    settings = Settings.model_validate({"checks": {"drift_psi": 0.5}})
    found = limits_in_words(settings, "checks.drift_psi", "checks.last_day")
    assert found == " (checks.drift_psi = 0.5, checks.last_day = null)"
    assert limits_in_words(settings) == ""


def test_the_limits_of_rules_are_settings() -> None:
    for rule in (rule for asset in ARTIFACTS for rule in stage_rules(asset)):
        assert rule.limits or LIMIT.search(rule.summary), rule.name
        for name in rule.limits:
            setting_value(name, Settings())


@pytest.mark.long
@pytest.mark.parametrize("asset", LOOKS)
def test_a_passing_check_says_figure_and_limit(finished_world: Path, tmp_path: Path, asset: str) -> None:
    worlds.copy_world(finished_world, tmp_path)
    for name, found in look(tmp_path / "config.yaml", asset).items():
        if found.passed:
            description = str(found.description)
            assert re.search(r"\d", description), (name, description)
            assert LIMIT.search(description), (name, description)


def test_artifacts_without_deleted_rows_say_so_too() -> None:
    found = judge("evaluation", {})
    assert isinstance(found, dg.AssetCheckResult)
    assert LIMIT.search(str(found.description))
