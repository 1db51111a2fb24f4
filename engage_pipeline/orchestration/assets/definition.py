"""Declares the assets of this project; their place in the graph comes from the catalogue."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa

from engage_pipeline.catalogue import ARTIFACTS, Artifact, shown_version
from engage_pipeline.interactions.features.meanings import meanings
from engage_pipeline.orchestration.assets.lineage import (
    TWEETS,
    Lineage,
    as_metadata,
    column_lineage,
    in_words,
    table_schemas,
)
from engage_pipeline.orchestration.assets.materializing import Show, Shown, make_one, make_parts, user_errors
from engage_pipeline.orchestration.assets.references import code_references
from engage_pipeline.orchestration.partitions import PARTS
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.plan import parts_a_run, raw_sources
from engage_pipeline.store.store import ArtifactStore

Prepare = Callable[[ArtifactStore, str], Any]
Make = Callable[[ArtifactStore, str], dg.MaterializeResult]


def pipeline_asset(
    *, kinds: set[str], schema: pa.Schema | None = None, prepare: Prepare | None = None, show: Show | None = None
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declares the asset named like the decorated function, whose docstring becomes the asset's description.

    For an asset without parts, the function gets the store and the draft to fill; it returns what to show beside the
    facts, by label. `prepare` gets the store and the name before the draft is opened; its result is the function's
    third argument. For an asset with parts, the function gets the store and the parts of a run; it publishes them and
    returns the result of each, and `show` returns what to show of a published part. A UserError fails the step, with
    its text as the reason. `schema` is shown as the asset's columns.
    """

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        artifact = ARTIFACTS[function.__name__]
        make = partial(make_parts, publish=function, show=show) if artifact.partitioned else _maker(function, prepare)
        return dg.asset(
            name=artifact.name,
            group_name=artifact.stage.value,
            deps=[_dependency(name, partitioned=artifact.partitioned) for name in artifact.inputs],
            kinds=kinds,
            metadata=_table_metadata(artifact.name, schema) | code_references(artifact.name, function),
            description=" ".join((function.__doc__ or "").split()),
            partitions_def=PARTS if artifact.partitioned else None,
            pool=artifact.stage.value,
        )(_step(artifact, make))

    return declare


def _maker(function: Callable[..., Shown | None], prepare: Prepare | None) -> Make:
    """Returns the function that makes an artifact without parts."""

    def make(store: ArtifactStore, name: str) -> dg.MaterializeResult:
        sources = raw_sources(store.settings, name)
        prepared = () if prepare is None else (prepare(store, name),)
        return make_one(store, name, lambda draft: function(store, draft, *prepared), sources)

    return make


def _step(artifact: Artifact, make: Make) -> Callable[[Pipeline], dg.MaterializeResult]:
    """Returns the function that Dagster runs.

    When it fails, it reports the asset's checks: Dagster would not start them, and would show them as failed.
    """

    def step(pipeline: Pipeline) -> dg.MaterializeResult:
        try:
            with user_errors():
                return make(pipeline.store(), artifact.name)
        except Exception as error:
            from engage_pipeline.orchestration.checks.reporting import evaluations

            why = error.description if isinstance(error, dg.Failure) else type(error).__name__
            context = dg.AssetExecutionContext.get()
            for evaluation in evaluations(context, artifact, f"{artifact.name} failed: {why}"):
                context.log_event(evaluation)
            raise

    return step


def backfilled(asset: dg.AssetsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """Returns the asset; if it has parts, a backfill makes at most plan.parts_a_run neighbouring parts in a run."""
    if not any(ARTIFACTS[key.to_user_string()].partitioned for key in asset.keys):
        return asset
    parts = parts_a_run(settings, asset.key.to_user_string())
    with warnings.catch_warnings():
        # Backfill policies are beta in Dagster 1.13, the version that pyproject.toml allows.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return asset.with_attributes(backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=parts))


def under(asset: dg.AssetsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """Returns the asset with owners and code version under these settings."""
    owners = list(settings.owners)
    return asset.map_asset_specs(
        lambda spec: spec.replace_attributes(
            owners=owners, code_version=shown_version(spec.key.to_user_string(), settings)
        )
    )


def _table_metadata(name: str, schema: pa.Schema | None) -> dict[str, Any]:
    """Returns the columns of an artifact that is a table, and their lineage; empty for others."""
    schema = schema or table_schemas().get(name)
    if schema is None:
        return {}
    lineage = column_lineage(name)
    means = meanings(name) if name in TWEETS else {}
    metadata: dict[str, Any] = {"dagster/column_schema": table_schema(schema, lineage, means)}
    return metadata | ({"dagster/column_lineage": as_metadata(lineage)} if lineage else {})


def table_schema(schema: pa.Schema, lineage: Lineage, means: Mapping[str, str] = {}) -> dg.TableSchema:
    """Returns an Arrow schema for Dagster: each column with its meaning and lineage, as far as they are known.

    The meaning is that of `means`, else the description of the field.
    """
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name=field.name, type=str(field.type), description=_description(field, lineage, means))
            for field in schema
        ]
    )


def _description(field: pa.Field, lineage: Lineage, means: Mapping[str, str]) -> str | None:
    told = means.get(field.name) or (field.metadata or {}).get(b"description", b"").decode()
    sources = in_words(lineage[field.name]) if field.name in lineage else ""
    return " · ".join(text for text in (told, sources) if text) or None


def _dependency(name: str, *, partitioned: bool) -> dg.AssetDep:
    if ARTIFACTS[name].partitioned and not partitioned:
        return dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
    return dg.AssetDep(name)
