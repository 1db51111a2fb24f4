"""A team's instance for real: Postgres, the compose file's processes, and runs at the same time."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engage_pipeline.catalogue import Stage
from engage_pipeline.orchestration.partitions import PARTS
from engage_pipeline.orchestration.pools import set_up_pools
from engage_pipeline_tests import worlds
from engage_pipeline_tests.deploy.deployed import Deployment, deployment
from engage_pipeline_tests.deploy.postgres import NAME, cluster, programs
from engage_pipeline_tests.servers import graphql, wait_until

pytestmark = pytest.mark.long
ENGAGE = str(Path(sys.executable).with_name("engage"))
PART_NAMES = [f"part-{number:05}" for number in range(worlds.PARTS)]
LAUNCH = """
mutation Launch($asset: String!, $part: String!) {
  launchRun(executionParams: {
    selector: {
      repositoryLocationName: "engage_pipeline"
      repositoryName: "__repository__"
      pipelineName: "__ASSET_JOB"
      assetSelection: [{path: [$asset]}]
    }
    executionMetadata: {tags: [{key: "dagster/partition", value: $part}]}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
RUNS = "{ runsOrError { ... on Runs { results { runId status startTime endTime } } } }"
LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } } }
"""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment on a tiny world of which nothing is made yet; the tables are made as the compose file makes them."""
    folder = tmp_path_factory.mktemp("team")
    with cluster() as postgres:
        worlds.make_world(folder)
        config = worlds.write_config(folder, automation={"stable_seconds": 86_400})  # the sensor finds no part stable
        team = deployment(folder, config, postgres)
        team.run(*team.command("migrate"))
        yield team


@pytest.fixture
def instance(team: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    for name, value in team.environment().items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_config(str(team.home)) as instance:
        yield instance


def failures(team: Deployment) -> str:
    """What failed in the runs of the instance."""
    events = [json.loads(event) for (event,) in team.postgres.fetch("SELECT event FROM event_logs ORDER BY id")]
    return "\n".join(json.dumps(event) for event in events if event["error_info"] or "FAILURE" in json.dumps(event))


def test_pools_have_the_limit_of_dagster_yaml(team: Deployment, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    def limits(of: dg.DagsterInstance) -> dict[str, int]:
        return {pool.name: pool.limit for pool in of.event_log_storage.get_pool_limits()}

    ones = {stage.value: 1 for stage in Stage}
    assert limits(instance) == ones  # the service `migrate` set them up
    storage = instance.event_log_storage
    answers = iter([[], *[storage.get_pool_limits()] * len(ones)])  # another process sets them up in between
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "get_pool_limits", lambda: next(answers))
        set_up_pools(instance)
    storage.set_concurrency_slots(Stage.MODEL, 3)
    (tmp_path / "dagster.yaml").write_text(
        (team.home / "dagster.yaml").read_text(encoding="utf-8").replace("default_limit: 1", "default_limit: 2"),
        encoding="utf-8",
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as changed:
        set_up_pools(changed)
        assert limits(changed) == dict.fromkeys(ones, 2) | {"model": 3}
    storage.delete_concurrency_limit(Stage.MODEL)
    set_up_pools(instance)
    assert limits(instance) == ones


def test_two_processes_run_at_once_on_one_instance(team: Deployment, instance: dg.DagsterInstance) -> None:
    processes = [
        subprocess.Popen(
            [ENGAGE, "run", "--target", target],
            env=team.environment(),
            cwd=team.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for target in ("interaction_features", "test_tweets")
    ]
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output + failures(team)
    assert list(instance.get_dynamic_partitions(str(PARTS.name))) == PART_NAMES
    for asset in ("tweet_parts", "interaction_features"):
        assert set(instance.get_materialized_partitions(dg.AssetKey(asset))) == set(PART_NAMES)
    for asset in ("interaction_counts", "test_tweets"):
        event = instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization
        manifest = worlds.store_of(team.config).open(asset).manifest
        assert event.asset_materialization.metadata["version"].value == manifest.version
    runs = instance.get_runs()
    assert len(runs) > 1
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert team.postgres.fetch("SELECT count(*) FROM runs") == [(len(runs),)]
    assert not list(team.home.rglob("*.db"))


def test_a_dump_brings_the_history_back(team: Deployment, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    folder, dump = programs(), str(tmp_path / "engage.dump")
    assert folder is not None
    team.run(str(folder / "pg_dump"), "--format=custom", f"--file={dump}", NAME)
    team.run(str(folder / "createdb"), "restored")
    team.run(str(folder / "pg_restore"), "--exit-on-error", "--dbname=restored", dump)
    for query in ("SELECT run_id, status FROM runs ORDER BY id", "SELECT id, event FROM event_logs ORDER BY id"):
        rows = team.postgres.fetch(query)
        assert rows
        assert team.postgres.fetch(query, "restored") == rows


def test_runs_started_in_the_ui_never_work_on_the_same_part_at_once(team: Deployment) -> None:
    with team.services():
        (location,) = graphql(team.url, LOCATIONS)["workspaceOrError"]["locationEntries"]
        assert location == {"name": "engage_pipeline", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
        launched = set()
        for asset in ("tweet_parts", "interaction_features"):
            answer = graphql(team.url, LAUNCH, {"asset": asset, "part": PART_NAMES[0]})["launchRun"]
            assert answer["__typename"] == "LaunchRunSuccess", answer
            launched.add(answer["run"]["runId"])

        def runs() -> list[dict[str, Any]]:
            results = graphql(team.url, RUNS)["runsOrError"]["results"]
            return [run for run in results if run["runId"] in launched]

        wait_until(lambda: {run["status"] for run in runs()} <= {"SUCCESS", "FAILURE"}, "the end of both runs", 300)
        first, second = sorted(runs(), key=lambda run: run["startTime"])
        assert [first["status"], second["status"]] == ["SUCCESS"] * 2
        assert first["endTime"] <= second["startTime"]
        for service in ("code", "webserver", "daemon"):
            assert team.healthy(service), service
    assert not team.healthy("webserver")
    assert list((team.home.parent / "compute_logs").rglob("*.err"))
