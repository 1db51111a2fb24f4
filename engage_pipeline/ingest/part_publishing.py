"""Raw training parts become published versions of tweet_parts: one after the other, or on Spark a task each.

A part is read by DuckDB in either case. What does not belong here: what is in a part's files (part_ingest, side_files).
"""

from collections.abc import Callable, Sequence
from functools import partial

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.files.atomic import identity
from engage_pipeline.files.parquet import require_schema
from engage_pipeline.ingest.deletions.forgetting import enter_replaced
from engage_pipeline.ingest.deletions.lists import Deletions, read_deletions
from engage_pipeline.ingest.facts import IngestedFacts
from engage_pipeline.ingest.part_ingest import ingest_part
from engage_pipeline.ingest.rejected_part import kept_rejects
from engage_pipeline.ingest.report import IngestReport, change_of_rows
from engage_pipeline.ingest.side_files import write_side_files
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import Manifest
from engage_pipeline.store.measured import making, published
from engage_pipeline.store.plan import parts_with_files, raw_sources
from engage_pipeline.store.store import ArtifactStore

ARTIFACT = "tweet_parts"


def part_publisher(store: ArtifactStore, keys: Sequence[str]) -> Callable[[str], Manifest]:
    """What publishes one of the parts `keys` and returns its manifest, or raises UserError.

    On DuckDB each part is read when it is asked for; on Spark all of them have been by then. Raises UserError where a
    list of deletions can't be read, or Spark can't be had.
    """
    deletions = read_deletions(store.settings.deletions, follow_links=store.settings.follow_links)
    if store.settings.engine.kind == "duckdb":
        return partial(publish_part, store, deletions)
    from engage_pipeline.engines.spark.tasks import map_tasks

    problems = map_tasks(_publish, keys, store.settings)

    def outcome(key: str) -> Manifest:
        if problem := problems[key]:
            raise UserError(problem)
        manifest = store.manifest(ARTIFACT, key)
        if manifest is None:
            raise UserError(f"{ARTIFACT}/{key}: was removed while it was made")
        return manifest

    return outcome


def _publish(settings: Settings, key: str) -> None:
    deletions = read_deletions(settings.deletions, follow_links=settings.follow_links)
    publish_part(ArtifactStore(settings), deletions, key)


def publish_part(store: ArtifactStore, deletions: Deletions, key: str) -> Manifest:
    """Reads the raw part `key` and publishes it; what `deletions` hit is left out. Raises UserError: ingest_part's
    reasons, no such part among those that the settings ask for, another run that makes it."""
    sources = raw_sources(store.settings, ARTIFACT, key)
    if not sources:
        gone = key not in parts_with_files(store.settings)
        why = "its file is gone (engage register-parts --prune)" if gone else "max_n_parts leaves it out"
        raise UserError(f"{store.settings.recsys_data}: no part {key} among the parts that the settings ask for: {why}")
    enter_replaced(store, ARTIFACT, key, deletions)
    since = identity(sources[0])
    with making(store, ARTIFACT, key, sources) as draft:
        report = ingest_part(
            sources[0],
            tweets=draft.path("tweets.parquet"),
            rejects=draft.path("rejects.parquet"),
            settings=store.settings,
            labelled=True,
            order="tweet",
            deletions=deletions,
            kept=kept_rejects(store.folder(ARTIFACT, key)),
            since=since,
        )
        require_schema(draft.path("tweets.parquet"), schema.tweet_schema(labelled=True))
        write_side_files(draft.path("tweets.parquet"), draft.directory, store.settings)
        draft.rows = report.rows
        draft.record(report.facts())
        draft.record(IngestedFacts(deletions=deletions.digest))
        draft.record(change(store, ARTIFACT, key, report))
    return published(draft)


def change(store: ArtifactStore, name: str, key: str | None, *reports: IngestReport) -> IngestedFacts:
    """How the rows of the raw parts that were read differ from those of the version that is published."""
    current = store.current(name, key)
    rows, forgotten = (sum(getattr(report, count) for report in reports) for count in ("rows", "forgotten"))
    return change_of_rows(current.manifest if current else None, rows, forgotten)
