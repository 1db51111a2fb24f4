"""Results of an asset's checks if the asset has failed, when Dagster does not start them."""

from collections.abc import Iterator

import dagster as dg

from engage_pipeline.catalogue import Artifact
from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.checks.deletions import CHECK, judge
from engage_pipeline.orchestration.checks.finding import LOOKS, Look, result_of
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.store.deletion_ledger import predating
from engage_pipeline.store.store import ArtifactStore

NOT_LOOKED_AT = "not looked at: "


def evaluations(context: dg.AssetExecutionContext, artifact: Artifact, why: str) -> Iterator[dg.AssetCheckEvaluation]:
    """Yields an evaluation for each planned check of the run. Checks of an asset with parts look at its published
    parts; the others have nothing new to look at and report `why`."""
    pipeline: Pipeline = context.resources.pipeline
    try:
        store = pipeline.store() if artifact.partitioned else None
    except UserError:
        store = None
    planned = context.run.asset_check_selection
    key = dg.AssetKey(artifact.name)
    for name in (*LOOKS.get(artifact.name, {}), CHECK):
        if planned is None or dg.AssetCheckKey(key, name) in planned:
            yield _evaluation(store, key, name, why)


def _evaluation(store: ArtifactStore | None, key: dg.AssetKey, name: str, why: str) -> dg.AssetCheckEvaluation:
    asset = key.to_user_string()
    look, blocking = LOOKS.get(asset, {}).get(name, (None, False))
    found = dg.AssetCheckResult(passed=False, description=f"{NOT_LOOKED_AT}{why}", severity=dg.AssetCheckSeverity.WARN)
    if store is not None:
        try:
            found = _look(store, asset, look, blocking=blocking)
        except UserError as error:
            found = dg.AssetCheckResult(passed=False, description=str(error), severity=dg.AssetCheckSeverity.WARN)
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=found.passed,
        metadata=found.metadata,
        severity=found.severity,
        description=found.description,
        blocking=blocking,
    )


def _look(store: ArtifactStore, asset: str, look: Look | None, *, blocking: bool) -> dg.AssetCheckResult:
    return judge(asset, predating(store)) if look is None else result_of(look(store), blocking=blocking)
