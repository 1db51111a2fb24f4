"""`engage backfill`: remakes chosen parts of a partitioned asset in few runs, and reports those that failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.assets.materializing import PLANNED
from engage_pipeline.orchestration.checks.failed_warnings import FailedWarnings
from engage_pipeline.orchestration.dead_runs import close_dead_runs
from engage_pipeline.orchestration.graph import build_graph
from engage_pipeline.orchestration.launching import BACKFILL_COMMAND, launched_by
from engage_pipeline.orchestration.partitions import register_parts
from engage_pipeline.orchestration.resources import AnyPipeline
from engage_pipeline.orchestration.running import batches, materialize
from engage_pipeline.store.mirror.following import send_unsent
from engage_pipeline.store.plan import Step, plan_segment, training_parts
from engage_pipeline.store.store import ArtifactStore

ASKED_FOR = "asked for"


@dataclass(frozen=True)
class Backfill:
    """The result of a backfill: its steps, the number of runs, and a message for each asset or check that failed."""

    steps: tuple[Step, ...]
    runs: int
    failures: tuple[str, ...]


def backfill(
    pipeline: AnyPipeline,
    instance: dg.DagsterInstance,
    asset: str,
    patterns: Sequence[str],
    warnings: FailedWarnings | None = None,
) -> Backfill:
    """Makes the parts of `asset` whose names match one of `patterns` (`part-0001?`); without patterns the stale ones.

    A run has neighbouring parts, at most plan.parts_a_run. A failed part does not stop the others. `warnings` collects
    the results of checks. Raises UserError: an asset without parts, a pattern that matches no part.
    """
    if asset not in ARTIFACTS or not ARTIFACTS[asset].partitioned:
        having = ", ".join(name for name, artifact in ARTIFACTS.items() if artifact.partitioned)
        raise UserError(f"--asset {asset}: not an asset with parts; these are {having}")
    pipeline = pipeline.held()
    store = pipeline.store()
    send_unsent(store)
    steps = _chosen(asset, _parts(store, asset), patterns) if patterns else plan_segment(store, [asset])
    register_parts(instance, [str(step.key) for step in steps])
    close_dead_runs(instance)
    definitions = build_graph(pipeline)
    runs = batches(instance, steps, store.settings)
    tags = launched_by(instance, BACKFILL_COMMAND) | ({} if patterns else {PLANNED: "true"})
    failures = materialize(definitions, instance, runs, tags, warnings)
    return Backfill(tuple(steps), len(runs), tuple(failures))


def _parts(store: ArtifactStore, asset: str) -> Sequence[str]:
    return list(training_parts(store.settings)) if asset == "tweet_parts" else store.parts()


def _chosen(asset: str, parts: Sequence[str], patterns: Sequence[str]) -> list[Step]:
    for pattern in patterns:
        if not any(fnmatchcase(part, pattern) for part in parts):
            raise UserError(f"{pattern}: matches no part of {asset}; its parts: {', '.join(parts) or 'none'}")
    chosen = [part for part in parts if any(fnmatchcase(part, pattern) for pattern in patterns)]
    return [Step(asset, part, ASKED_FOR) for part in chosen]
