"""How every asset of this project is declared: its place in the graph comes from the catalogue."""

import warnings
from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.partitions import PARTS

OWNER = "team:engagement"


def pipeline_asset(
    *, kinds: set[str], schema: pa.Schema | None = None
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declares the asset named like the decorated function, whose docstring becomes the asset's description.

    `schema` is shown as the asset's columns.
    """

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return _declared(function, kinds, schema)

    return declare


def _declared(function: Callable[..., Any], kinds: set[str], schema: pa.Schema | None) -> dg.AssetsDefinition:
    artifact = ARTIFACTS[function.__name__]
    return dg.asset(
        name=artifact.name,
        group_name=artifact.stage.value,
        deps=[_dependency(name, partitioned=artifact.partitioned) for name in artifact.inputs],
        kinds=kinds,
        owners=[OWNER],
        code_version=artifact.code_version,
        metadata={} if schema is None else {"dagster/column_schema": table_schema(schema)},
        description=" ".join((function.__doc__ or "").split()),
        partitions_def=PARTS if artifact.partitioned else None,
        pool=artifact.stage.value,
    )(function)


def backfilled(asset: dg.AssetsDefinition, parts: int) -> dg.AssetsDefinition:
    """The asset with runs of at most `parts` neighbouring parts in a backfill, if it has parts."""
    if not any(ARTIFACTS[key.to_user_string()].partitioned for key in asset.keys):
        return asset
    with warnings.catch_warnings():
        # Backfill policies are beta in Dagster 1.13, which is the version that pyproject.toml admits.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return asset.with_attributes(backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=parts))


def table_schema(schema: pa.Schema) -> dg.TableSchema:
    """An Arrow schema as Dagster shows it, with the descriptions that its fields carry."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=field.name,
                type=str(field.type),
                description=(field.metadata or {}).get(b"description", b"").decode() or None,
            )
            for field in schema
        ]
    )


def _dependency(name: str, *, partitioned: bool) -> dg.AssetDep:
    if ARTIFACTS[name].partitioned and not partitioned:
        return dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
    return dg.AssetDep(name)
