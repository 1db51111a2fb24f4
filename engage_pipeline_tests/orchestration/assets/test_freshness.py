"""What people wait for has a freshness policy from the settings, and the daemon of this instance evaluates it."""

import datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.controller import create_daemon_of_type
from dagster._daemon.freshness import FreshnessDaemon

from engage_pipeline.definitions import build_definitions
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.settings.settings import settings_from
from engage_pipeline_tests import worlds

WAITED_FOR = ("tweet_parts", "trained_model", "evaluation", "submission")


def policies(config: Path) -> dict[str, tuple[float | None, float]]:
    """Hours until a warning and until a failure, by asset that has a policy."""
    found = {}
    for spec in build_definitions(Pipeline(config=str(config))).resolve_all_asset_specs():
        if policy := spec.freshness_policy:
            warn, fail = policy.warn_window, policy.fail_window
            hours = warn and warn.to_timedelta().total_seconds() / 3600
            found[spec.key.to_user_string()] = (hours, fail.to_timedelta().total_seconds() / 3600)
    return found


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, dict.fromkeys(WAITED_FOR, (48, 192))),
        ({"freshness_warn_hours": None, "freshness_fail_hours": 5}, dict.fromkeys(WAITED_FOR, (None, 5))),
        ({"freshness_fail_hours": None}, {}),
    ],
)
def test_policies_are_those_of_the_settings(
    tmp_path: Path, values: dict[str, int | None], expected: dict[str, tuple[float | None, float]]
) -> None:
    assert policies(worlds.write_config(tmp_path, automation=values)) == expected


def test_a_warning_after_the_failure_is_a_mistake(tmp_path: Path) -> None:
    values = {"automation": {"freshness_warn_hours": 200}}
    with pytest.raises(UserError, match="freshness_warn_hours must be less than freshness_fail_hours"):
        settings_from(values, folder=tmp_path)


@pytest.mark.long
def test_the_daemon_tells_late_from_fresh(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((worlds.REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert FreshnessDaemon.daemon_type() in instance.get_required_daemon_types()
        target = ModuleTarget("engage_pipeline.definitions", None, str(worlds.REPOSITORY), "engage_pipeline")
        with create_test_daemon_workspace_context(target, instance) as context:
            daemon = create_daemon_of_type(FreshnessDaemon.daemon_type(), instance)
            made = datetime.datetime(2021, 3, 4, tzinfo=datetime.UTC)
            with freeze_time(made):
                instance.report_runless_asset_event(dg.AssetMaterialization("submission"))
            states = []
            for hours in (47, 49, 193):
                with freeze_time(made + datetime.timedelta(hours=hours)):
                    list(daemon.run_iteration(context))
                records = instance.get_freshness_state_records([dg.AssetKey("submission"), dg.AssetKey("evaluation")])
                states.append({key.to_user_string(): record.freshness_state for key, record in records.items()})
    assert [state["submission"] for state in states] == [FreshnessState.PASS, FreshnessState.WARN, FreshnessState.FAIL]
    assert all(state["evaluation"] == FreshnessState.UNKNOWN for state in states), "it was never made"
