"""Makes the assets of this project: one clear line on failure, figures for Dagster."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import dagster as dg

from engage_pipeline.errors import UserError
from engage_pipeline.files.raw_parts import check_key, is_key
from engage_pipeline.locations.location import Location
from engage_pipeline.orchestration.assets.figures import describe
from engage_pipeline.orchestration.dead_runs import mark_run
from engage_pipeline.orchestration.executors import IN_PROCESS, executor_name
from engage_pipeline.orchestration.failures import PROBLEMS
from engage_pipeline.plots import as_markdown
from engage_pipeline.plurals import first_few, grouped
from engage_pipeline.store.manifests import Manifest, label
from engage_pipeline.store.measured import PartResult, making, published
from engage_pipeline.store.mirror.following import send_unsent
from engage_pipeline.store.plan import parts_with_files, raw_sources
from engage_pipeline.store.rules import failures
from engage_pipeline.store.store import ArtifactStore, Draft

Shown = Mapping[str, bytes | str]
"""What to show of an artifact beside its facts, or instead of a fact, by label: SVG plots or Markdown."""
Show = Callable[[ArtifactStore, Manifest], Shown]
LOGGER = logging.getLogger("engage_pipeline")
ONLY_STALE = "engage/only_stale"
"""Tag of a run that skips what is current; without it, or PLANNED, everything is made again."""
PLANNED = ".dagster/engage_planned"
"""Tag, hidden from people, of a run that was planned: what is current by now was made by another run meanwhile."""
UNCHANGED = "unchanged"
"""Metadata of a materialization that left the published version."""
DATA_VERSION_TAG, BACKFILL_TAG = "dagster/data_version", "dagster/backfill"
SKIPPED = "skipped"


@contextmanager
def user_errors() -> Iterator[None]:
    """Turns a user's mistake into a failed step with one clear line and no retry."""
    try:
        yield
    except UserError as error:
        raise dg.Failure(description=str(error), metadata=_details(error), allow_retries=False) from None


def _details(error: UserError) -> dict[str, dg.MetadataValue]:
    """Returns the details of an error as Dagster metadata."""
    return {name: dg.MetadataValue.json(value) for name, value in error.details.items()}


def make_one(
    store: ArtifactStore, name: str, make: Callable[[Draft], Shown | None], sources: Sequence[Location]
) -> dg.MaterializeResult:
    """Makes an unpartitioned artifact; `make` writes into the draft and returns what else to show of it.

    A run with the tag ONLY_STALE leaves a current artifact unchanged. Raises UserError if it can't be made.
    """
    context = dg.AssetExecutionContext.get()
    _mark_run(context)
    if _leaves_current(context) and store.stale(name, None, sources) is None:
        return _unchanged(store, name, context)
    with making(store, name, None, sources) as draft:
        shown = make(draft)
    manifest = published(draft)
    return dg.MaterializeResult(
        metadata=_shown_first(store, shown or {}, manifest), data_version=dg.DataVersion(manifest.version)
    )


def _mark_run(context: dg.AssetExecutionContext) -> None:
    """Records that this process executes the run, unless each step has its own short-lived process."""
    if executor_name() == IN_PROCESS:
        mark_run(context.instance, context.run)


def _unchanged(store: ArtifactStore, name: str, context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    LOGGER.info("%s: %s", name, _why_unchanged(context))
    send_unsent(store, [name])
    manifest = store.open(name).manifest
    return dg.MaterializeResult(
        metadata={UNCHANGED: True, **describe(store, manifest)}, data_version=dg.DataVersion(manifest.version)
    )


def _leaves_current(context: dg.AssetExecutionContext) -> bool:
    return bool(context.run.tags.keys() & {ONLY_STALE, PLANNED})


def _why_unchanged(context: dg.AssetExecutionContext) -> str:
    return "made by another run meanwhile" if PLANNED in context.run.tags else "is current"


@dataclass(frozen=True)
class RunParts:
    """The parts of a run: those to make, in the run's order, and the reasons for skipping the others."""

    keys: list[str]
    skipped: dict[str, str]


def parts_of_run(context: dg.AssetExecutionContext, store: ArtifactStore) -> RunParts:
    """Returns the parts of the run; skips those whose raw file is gone, which a backfill of *All* also asks for.

    A single part that a person chose is not skipped: ingesting it fails with the reason, and what was ingested of it
    before makes its features. Raises UserError if the folder of the parts is gone.
    """
    keys = list(context.partition_keys)
    if len(keys) == 1 and BACKFILL_TAG not in context.run.tags:
        return RunParts(keys, {})
    present = parts_with_files(store.settings)
    gone = [key for key in keys if is_key(key) and key not in present]
    reason = f"skipped: its file is gone from {store.settings.recsys_data} (engage register-parts --prune)"
    if gone:
        LOGGER.warning("%s: %s", first_few(gone), reason)
    return RunParts([key for key in keys if key not in gone], dict.fromkeys(gone, reason))


def make_parts(
    store: ArtifactStore,
    name: str,
    *,
    publish: Callable[[ArtifactStore, Sequence[str]], Mapping[str, PartResult]],
    show: Show | None = None,
) -> dg.MaterializeResult:
    """Makes every part of this run, each with its own figures. If a part fails, the others are still published.

    `publish` makes parts and returns the result of each; `show` returns what else to show of one. Raises UserError if
    nothing can be made, and dg.Failure naming the failed parts after all were tried. A skipped part counts as
    materialized, with the reason as its only figure: Dagster regards a backfill as failed if a partition of it was not
    materialized, and whatever run succeeds as having made all of its partitions. A run with the tag ONLY_STALE or
    PLANNED leaves current parts unchanged.
    """
    context = dg.AssetExecutionContext.get()
    _mark_run(context)
    parts = parts_of_run(context, store)
    made: dict[str, Manifest] = {}
    shown: dict[str, Shown] = {}
    errors: dict[str, UserError] = {}
    current = _current_parts(context, store, name, parts.keys)
    for key, result in _results(store, parts.keys, current, publish).items():
        try:
            if isinstance(result, UserError):
                raise result
            shown[key] = show(store, result) if show else {}
            made[key] = result
        except UserError as error:
            errors[key] = error
    if errors:
        for manifest in made.values():
            unchanged = manifest.key in current
            context.log_event(materialization(store, manifest, shown[str(manifest.key)], unchanged=unchanged))
        _log_skipped(context, name, parts)
        raise _failure(errors, made)
    for key, manifest in made.items():
        figures = _shown_first(store, shown[key], manifest, unchanged=key in current)
        context.add_asset_metadata(figures, asset_key=name, partition_key=key)
    for key, reason in parts.skipped.items():
        context.add_asset_metadata({SKIPPED: reason}, asset_key=name, partition_key=key)
    versions = [manifest.version for manifest in made.values()]
    alone = len(versions) == 1 and not parts.skipped
    return dg.MaterializeResult(data_version=dg.DataVersion(versions[0]) if alone else None)


def _log_skipped(context: dg.AssetExecutionContext, name: str, parts: RunParts) -> None:
    """Counts the skipped parts of a backfill that fails as materialized; in another run they stay as they were."""
    if BACKFILL_TAG in context.run.tags:
        for key, reason in parts.skipped.items():
            context.log_event(dg.AssetMaterialization(name, partition=key, metadata={SKIPPED: reason}))


def _current_parts(
    context: dg.AssetExecutionContext, store: ArtifactStore, name: str, keys: Sequence[str]
) -> dict[str, Manifest]:
    """Returns the parts that the run leaves unchanged: the current ones by its tags, or none."""
    found: dict[str, Manifest] = {}
    if not _leaves_current(context):
        return found
    for key in keys:
        with suppress(UserError):  # publishing the part tells it
            stale = store.stale(name, key, raw_sources(store.settings, name, key))
            if stale is None and (manifest := store.manifest(name, key)) is not None:
                LOGGER.info("%s: %s", label(name, key), _why_unchanged(context))
                found[key] = manifest
    return found


def _results(
    store: ArtifactStore,
    keys: Sequence[str],
    current: Mapping[str, Manifest],
    publish: Callable[[ArtifactStore, Sequence[str]], Mapping[str, PartResult]],
) -> dict[str, PartResult]:
    """Returns the result of each of `keys`, in their order: of `current` parts their manifests; invalid names of parts
    get an error."""
    refused: dict[str, PartResult] = {}
    for key in keys:
        try:
            check_key(key)
        except UserError as error:
            refused[key] = error
    valid = [key for key in keys if key not in refused and key not in current]
    results = {**refused, **current, **(publish(store, valid) if valid else {})}
    return {key: results[key] for key in keys}


def _failure(errors: Mapping[str, UserError], made: Mapping[str, Manifest]) -> dg.Failure:
    """Returns the failure of a run in which parts failed, or were published and failed a check."""
    failed = {key: str(error) for key, error in errors.items()}
    failed |= {key: problem for key, manifest in made.items() if (problem := _failed_check(manifest))}
    details = {f"{key}: {name}": one for key, error in errors.items() for name, one in _details(error).items()}
    failed = {key if key.isprintable() else repr(key): problem for key, problem in failed.items()}
    metadata = {PROBLEMS: dg.MetadataValue.json(failed), **details}
    return dg.Failure(description=grouped(failed), metadata=metadata, allow_retries=False)


def _failed_check(manifest: Manifest) -> str:
    problems = failures(manifest.verdict) if manifest.verdict else ""
    return f"failed a check ({problems})" if problems else ""


def materialization(
    store: ArtifactStore, manifest: Manifest, shown: Shown = MappingProxyType({}), *, unchanged: bool = False
) -> dg.AssetMaterialization:
    """Returns Dagster's event for a version that is not part of a step's own result."""
    return dg.AssetMaterialization(
        manifest.artifact,
        partition=manifest.key,
        metadata=_shown_first(store, shown, manifest, unchanged=unchanged),
        tags={DATA_VERSION_TAG: manifest.version},
    )


def _shown_first(store: ArtifactStore, shown: Shown, manifest: Manifest, *, unchanged: bool = False) -> dict[str, Any]:
    figures = {name: value for name, value in describe(store, manifest).items() if name not in shown}
    return {**({UNCHANGED: True} if unchanged else {}), **_markdown(shown), **figures}


def _markdown(shown: Shown) -> dict[str, dg.MarkdownMetadataValue]:
    return {
        name: dg.MetadataValue.md(as_markdown(value, name) if isinstance(value, bytes) else value)
        for name, value in shown.items()
    }


def report_published(instance: dg.DagsterInstance, store: ArtifactStore, manifest: Manifest) -> None:
    """Reports a version that was published outside of a run, so that the UI shows it."""
    instance.report_runless_asset_event(materialization(store, manifest))
