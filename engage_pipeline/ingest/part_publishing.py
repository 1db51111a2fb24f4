"""Publishes raw training parts as versions of tweet_parts: one after the other, or on Spark in a task each.

DuckDB reads the parts in both cases. What does not belong here: the content of a part's files (drafts).
"""

from collections.abc import Sequence

from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import identity
from engage_pipeline.ingest.deletions.forgetting import enter_replaced
from engage_pipeline.ingest.deletions.lists import Deletions, read_deletions
from engage_pipeline.ingest.drafts import write_labelled
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.measured import PartResult, making, published
from engage_pipeline.store.plan import parts_with_files, raw_sources
from engage_pipeline.store.store import ArtifactStore

ARTIFACT = "tweet_parts"


def publish_parts(store: ArtifactStore, keys: Sequence[str]) -> dict[str, PartResult]:
    """Reads and publishes the parts `keys`; returns the result of each, in their order.

    Raises UserError if a list of deletions can't be read, or if Spark is not available.
    """
    deletions = read_deletions(store.settings.deletions, follow_links=store.settings.follow_links)
    if store.settings.engine.kind == "duckdb":
        return {key: _result(store, deletions, key) for key in keys}
    from engage_pipeline.engines.spark.tasks import map_tasks

    problems = map_tasks(_publish, keys, store.settings)
    return {key: _published_elsewhere(store, key, problems[key]) for key in keys}


def _result(store: ArtifactStore, deletions: Deletions, key: str) -> PartResult:
    try:
        return publish_part(store, deletions, key)
    except UserError as error:
        return error


def _publish(settings: Settings, key: str) -> None:
    """The work of a Spark task."""
    deletions = read_deletions(settings.deletions, follow_links=settings.follow_links)
    publish_part(ArtifactStore(settings), deletions, key)


def _published_elsewhere(store: ArtifactStore, key: str, problem: str | None) -> PartResult:
    """Returns the result of a part that a Spark task made; `problem` is its error, if there was one."""
    if problem:
        return UserError(problem)
    try:
        return store.manifest(ARTIFACT, key) or UserError(f"{ARTIFACT}/{key}: was removed while it was made")
    except UserError as error:
        return error


def publish_part(store: ArtifactStore, deletions: Deletions, key: str) -> Manifest:
    """Reads the raw part `key` and publishes it, without the rows of `deletions`.

    Raises UserError in the same cases as ingest_part, and if the settings ask for no such part, or if another run is
    making it.
    """
    sources = raw_sources(store.settings, ARTIFACT, key)
    if not sources:
        gone = key not in parts_with_files(store.settings)
        why = "its file is gone (engage register-parts --prune)" if gone else "max_n_parts leaves it out"
        raise UserError(f"{store.settings.recsys_data}: no part {key} among the parts that the settings ask for: {why}")
    enter_replaced(store, ARTIFACT, key, deletions)
    since = identity(sources[0])
    with making(store, ARTIFACT, key, sources) as draft:
        write_labelled(store, ARTIFACT, key, draft, sources[0], since, deletions)
    return published(draft)
