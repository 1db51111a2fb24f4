"""What the launchpad says of the resource `pipeline` holds for its run, in every kind of job."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engage_pipeline.definitions import build_definitions
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.settings.settings import load_settings
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long


def launched(config: Path, job: str, overrides: dict[str, Any], **chosen: Any) -> dg.ExecuteInProcessResult:
    """Runs a job of the code location with this run config."""
    definitions = build_definitions(Pipeline(config=str(config)))
    resource = {"config": {"config": str(config), "overrides": overrides}}
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(job).execute_in_process(
            run_config={
                "resources": {"pipeline": resource},
                "loggers": {"console": {"config": {"log_level": "ERROR"}}},
            },
            instance=instance,
            raise_on_error=False,
            **chosen,
        )


def test_an_asset_is_made_with_the_overrides(ingested: Path) -> None:
    wanted = {"topics": {"most_per_language": 9}}
    assert launched(ingested, "train", wanted, asset_selection=[dg.AssetKey("tweet_topics")]).success
    made = worlds.store_of(ingested).manifest("tweet_topics")
    assert made is not None
    assert made.settings["topics"]["most_per_language"] == 9
    assert worlds.store_of(ingested).settings.topics.most_per_language != 9


def test_a_job_that_plans_for_itself_plans_with_them(ingested: Path) -> None:
    assert launched(ingested, "refresh_features", {"max_n_parts": 1, "features.families": []}).success
    store = worlds.store_of(ingested)
    made = store.manifest("interaction_counts")
    assert made is not None
    assert made.settings["max_n_parts"] == 1
    assert store.stale("interaction_counts") == "max_n_parts: 1 → None", "of this run alone"
    assert store.manifest("interaction_features", "part-00001") is None


def test_a_mistake_fails_the_step_with_one_line(ingested: Path) -> None:
    done = launched(ingested, "refresh_features", {"network": {"hiden_size": 3}})
    (event,) = [event for event in done.all_events if event.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    line = "overrides of the resource pipeline: network.hiden_size: no such setting; did you mean hidden_size?"
    assert failure.description == line


def test_the_same_as_python(ingested: Path) -> None:
    pipeline = Pipeline(config=str(ingested), overrides={"network": {"hidden_size": 3}})
    assert pipeline.settings() == load_settings(ingested).model_copy(
        update={"network": load_settings(ingested).network.model_copy(update={"hidden_size": 3})}
    )
