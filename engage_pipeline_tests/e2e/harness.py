"""A running `dagster dev` on a tiny world, and what a person sees and does there, over GraphQL."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from engage_pipeline.orchestration.dead_runs import PROCESS_TAG
from engage_pipeline.settings.settings import CONFIG_VARIABLE
from engage_pipeline.store.store import ArtifactStore
from engage_pipeline_tests import servers, worlds
from engage_pipeline_tests.e2e import queries

REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "engage_pipeline"}
WHOLE = {"pipelineName": "__ASSET_JOB", "assetCheckSelection": []}
MAKE_UI = ("-W", "ignore:Function", "-m", "dagster", "dev")
"""What `make ui` gives to Python."""
DEADLINE = 300.0
"""Seconds: many times of what anything takes here, even on a busy machine."""
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


@dataclass(frozen=True)
class Run:
    """A run as the runs page shows it; times in Unix seconds, 0 while there is none."""

    id: str
    job: str
    status: str
    started: float
    ended: float
    tags: dict[str, str]


@dataclass(frozen=True)
class Tick:
    """One evaluation of a sensor or schedule."""

    id: str
    status: str
    time: float
    reason: str
    runs: tuple[str, ...]
    error: str | None


@dataclass(frozen=True)
class Materialization:
    """One materialization of an asset or part, with its metadata that are text or integers."""

    run: str
    figures: dict[str, Any]


def wait_until(condition: Callable[[], bool], what: str, every: float = 0.3) -> None:
    """Returns once `condition` holds."""
    servers.wait_until(condition, what, DEADLINE, every)


@dataclass
class Dev:
    """`dagster dev` on the world in `folder`. `meant_to_fail` are runs that a test makes fail.

    Its processes are those of one `session`. `notices`: what its alerts posted, as JSON.
    """

    folder: Path
    port: int
    log: Path
    meant_to_fail: set[str] = field(default_factory=set)
    session: int = 0
    notices: Callable[[], list[dict[str, Any]]] = list

    @property
    def url(self) -> str:
        """The webserver's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def parts(self) -> Path:
        """The folder of the raw training parts."""
        return self.folder / "raw" / "train"

    def store(self) -> ArtifactStore:
        """The artifacts."""
        return worlds.store_of(self.folder / "config.yaml")

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer to `query`."""
        return servers.graphql(self.url, query, variables)

    def _order(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer to a mutation, which must have succeeded."""
        ((name, answer),) = self.ask(query, **variables).items()
        assert "message" not in answer, f"{name}: {answer}"
        return dict(answer)

    def launch(self, *assets: str, part: str | None = None) -> str:
        """Materializes assets in one run, as by the button; returns the run's id."""
        selector = REPOSITORY | WHOLE | {"assetSelection": [{"path": [name]} for name in assets]}
        tags = [] if part is None else [{"key": "dagster/partition", "value": part}]
        parameters = {"selector": selector, "executionMetadata": {"tags": tags}}
        return str(self._order(queries.LAUNCH, parameters=parameters)["run"]["runId"])

    def backfill(self, asset: str, parts: Sequence[str]) -> str:
        """Materializes chosen parts, as by the button; returns the backfill's id."""
        parameters = {"assetSelection": [{"path": [asset]}], "partitionNames": list(parts)}
        return str(self._order(queries.BACKFILL, parameters=parameters)["backfillId"])

    def add_part(self, part: str) -> None:
        """Registers a part, as by the button."""
        self._order(queries.ADD_PART, repository=REPOSITORY, part=part)

    def delete_part(self, part: str) -> None:
        """Deletes the partition of a part, as by the button."""
        self._order(queries.DELETE_PARTS, repository=REPOSITORY, parts=[part])

    def ended_backfill(self, backfill: str) -> str:
        """The backfill's status once it has ended."""
        wait_until(lambda: self._backfill_status(backfill).startswith("COMPLETED_"), f"backfill {backfill}")
        return self._backfill_status(backfill)

    def _backfill_status(self, backfill: str) -> str:
        return str(self.ask(queries.BACKFILL_STATUS, id=backfill)["partitionBackfillOrError"]["status"])

    def runs(self, tags: dict[str, str] | None = None, **filters: Any) -> list[Run]:
        """The runs with these tags, the latest first."""
        filters["tags"] = [{"key": key, "value": value} for key, value in (tags or {}).items()]
        found = self.ask(queries.RUNS, filter=filters)["runsOrError"]["results"]
        return [
            Run(
                run["runId"],
                run["jobName"],
                run["status"],
                run["startTime"] or 0.0,
                run["endTime"] or 0.0,
                {tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in found
        ]

    def run(self, run_id: str) -> Run:
        """The run as it is now."""
        (run,) = self.runs(runIds=[run_id])
        return run

    def ended(self, run_id: str) -> Run:
        """The run once it has ended."""
        wait_until(lambda: self.run(run_id).status in ENDED, f"the end of run {run_id}")
        return self.run(run_id)

    def process(self, run_id: str) -> str:
        """What the run has noted of its process, in a tag that the UI hides; empty while it has noted none."""
        with dg.DagsterInstance.from_config(str(self.folder)) as instance:
            run = instance.get_run_by_id(run_id)
            return "" if run is None else run.tags.get(PROCESS_TAG, "")

    def launched(self, run_id: str) -> float:
        """When the run left the queue, in Unix seconds."""
        return float(self.ask(queries.LAUNCH_TIME, id=run_id)["runOrError"]["stats"]["launchTime"])

    def failures(self, run_id: str) -> list[str]:
        """What the run's page says of each failed step; nothing of what was raised on the way there."""
        events = self.ask(queries.FAILURES, id=run_id)["runOrError"]["eventConnection"]["events"]
        failed = [event for event in events if event]
        assert not any(event["error"]["errorChain"] for event in failed), failed
        return [event["failureMetadata"]["description"] for event in failed]

    def materializations(self, asset: str, part: str) -> list[Materialization]:
        """The part's materializations, the latest first."""
        answer = self.ask(queries.MATERIALIZATIONS, asset={"path": [asset]}, parts=[part])["assetNodeOrError"]
        return [
            Materialization(
                event["runId"],
                {entry["label"]: entry.get("intValue", entry.get("text")) for entry in event["metadataEntries"]},
            )
            for event in answer["assetMaterializations"]
        ]

    def registered(self) -> list[str]:
        """The partitions, in their order."""
        return list(self._parts("tweet_parts")["partitionKeys"])

    def materialized(self, asset: str) -> set[str]:
        """The parts that are green."""
        return set(self._parts(asset)["assetPartitionStatuses"]["materializedPartitions"])

    def failed(self, asset: str) -> set[str]:
        """The parts that are red."""
        return set(self._parts(asset)["assetPartitionStatuses"]["failedPartitions"])

    def _parts(self, asset: str) -> dict[str, Any]:
        return dict(self.ask(queries.PARTS, asset={"path": [asset]})["assetNodeOrError"])

    def ticks(self, name: str) -> list[Tick]:
        """The ended ticks of a sensor or schedule, the latest first."""
        return [
            Tick(
                tick["id"],
                tick["status"],
                tick["timestamp"],
                tick["skipReason"] or "",
                tuple(tick["runIds"]),
                tick["error"]["message"] if tick["error"] else None,
            )
            for tick in self._instigator(name)["ticks"]
            if tick["status"] != "STARTED"
        ]

    def next_tick(self, name: str, ticks: int = 1) -> Tick:
        """The last of so many ticks that begin from now on, once it has ended."""
        now = time.time()

        def later() -> list[Tick]:
            return [tick for tick in self.ticks(name) if tick.time >= now]

        wait_until(lambda: len(later()) >= ticks, f"{ticks} ticks of {name}")
        return later()[-ticks]

    def start_schedule(self, name: str) -> None:
        """Switches a schedule on."""
        self._order(queries.START_SCHEDULE, schedule=REPOSITORY | {"scheduleName": name})

    def stop_schedule(self, name: str) -> None:
        """Switches a schedule off."""
        self._order(queries.STOP_SCHEDULE, id=self._instigator(name)["id"])

    def dry_run(self, name: str) -> dict[str, Any]:
        """What a schedule would do now."""
        schedule = REPOSITORY | {"scheduleName": name}
        return dict(self._order(queries.DRY_RUN, schedule=schedule, timestamp=time.time())["evaluationResult"])

    def _instigator(self, name: str) -> dict[str, Any]:
        return dict(self.ask(queries.TICKS, instigator=REPOSITORY | {"name": name})["instigationStateOrError"])

    def slots_taken(self, pool: str) -> int:
        """How many steps are in the pool now."""
        limits = self.ask(queries.POOLS)["instance"]["concurrencyLimits"]
        return int(sum(limit["activeSlotCount"] for limit in limits if limit["concurrencyKey"] == pool))


@contextmanager
def development(folder: Path, **variables: str) -> Iterator[Dev]:
    """`dagster dev` on the world in `folder`, from when its code is loaded; nothing of it is left after the block.

    `variables` are added to its environment. An error that leaves the block quotes the end of the log.
    """
    dev = Dev(folder, servers.free_port(), folder / "dagster-dev.log")
    environment = {**os.environ, "DAGSTER_HOME": str(folder), CONFIG_VARIABLE: str(folder / "config.yaml")}
    environment |= variables
    command = [
        sys.executable,
        *MAKE_UI,
        "-w",
        str(worlds.REPOSITORY / "workspace.yaml"),
        "--host",
        "127.0.0.1",
        "--port",
        str(dev.port),
    ]

    def ready() -> bool:
        return servers.answers(f"{dev.url}/server_info") and bool(dev.ask(queries.ASSETS)["assetNodes"])

    with servers.running(
        command, log=dev.log, ready=ready, stop_with=signal.SIGINT, deadline=DEADLINE, env=environment, cwd=folder
    ) as process:
        dev.session = process.pid
        yield dev
