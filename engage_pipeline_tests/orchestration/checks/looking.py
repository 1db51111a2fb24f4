"""Runs the checks of an asset in Dagster, without making the asset."""

from pathlib import Path

import dagster as dg

from engage_pipeline import schema
from engage_pipeline.definitions import build_definitions
from engage_pipeline.orchestration.resources import Pipeline
from engage_pipeline_tests import worlds


def look(config: Path, asset: str) -> dict[str, dg.AssetCheckEvaluation]:
    """What each check of `asset` finds, by name."""
    job = dg.define_asset_job("look", selection=dg.AssetSelection.checks_for_assets(asset))
    definitions = dg.Definitions.merge(build_definitions(Pipeline(config=str(config))), dg.Definitions(jobs=[job]))
    with dg.DagsterInstance.ephemeral() as instance:
        done = definitions.resolve_job_def("look").execute_in_process(instance=instance, raise_on_error=False)
    return {found.check_name: found for found in done.get_asset_check_evaluations()}


def failed(found: dict[str, dg.AssetCheckEvaluation]) -> dict[str, str]:
    """The descriptions of the checks that did not pass, by name."""
    return {name: str(one.description) for name, one in found.items() if not one.passed}


def distrusted(config: Path, asset: str) -> set[str | None]:
    """The parts of an asset that no run opens, because they failed a check, or a file has another size."""
    store = worlds.store_of(config)
    return {key for key in [*store.parts(), None] if _is_distrusted(config, asset, key)}


def _is_distrusted(config: Path, asset: str, key: str | None) -> bool:
    store = worlds.store_of(config)
    try:
        reason = str(store.stale(asset, key))
        return "failed a check" in reason or "bytes instead of" in reason
    except ValueError:
        return False


def raw_lines(part: Path) -> list[list[str]]:
    """The fields of each line of a raw part."""
    lines = part.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return [line.split(schema.FIELD_SEPARATOR) for line in lines]


def write_lines(part: Path, lines: list[list[str]]) -> None:
    """A raw part of these lines."""
    text = "".join(schema.FIELD_SEPARATOR.join(fields) + "\n" for fields in lines)
    part.write_text(text, encoding="utf-8")
